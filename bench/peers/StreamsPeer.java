import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.sun.management.OperatingSystemMXBean;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The main job as a Kafka Streams program: a topic of JSON, 11 of its 12 fields, into nothing or into a table.
 *
 * <p>`load ADDRESS FILE` fills the topic, `users` or that of -Dtopic; `null|table ADDRESS RECORDS PASSES DIR` reads it so many times in one JVM and prints
 * a line of JSON a pass: the first is cold, the last warm.
 */
public class StreamsPeer {
  static final String TOPIC = System.getProperty("topic", "users");

  /** The 12 fields that arrive. */
  public static class User {
    public UUID id;
    public String first_name, last_name, gender, address, post_code, email, username, dob, registered_date, phone, picture;
  }

  /** The 11 that are selected. */
  record Row(UUID id, String firstName, String lastName, String gender, String address, String postCode, String email, String username,
      String registeredDate, String phone, String picture) {
    static Row of(User u) {
      return new Row(u.id, u.first_name, u.last_name, u.gender, u.address, u.post_code, u.email, u.username, u.registered_date, u.phone,
          u.picture);
    }

    /** A row whose id is missing would have no key. */
    boolean complete() {
      return id != null && picture != null;
    }

    private String[] texts() {
      return new String[] {firstName, lastName, gender, address, postCode, email, username, registeredDate, phone, picture};
    }

    /** The id, then each text after its length. */
    static byte[] pack(Row row) {
      String[] texts = row.texts();
      byte[][] bytes = new byte[texts.length][];
      int size = 16;
      for (int i = 0; i < texts.length; i++) {
        bytes[i] = texts[i].getBytes(StandardCharsets.UTF_8);
        size += 2 + bytes[i].length;
      }
      ByteBuffer out = ByteBuffer.allocate(size);
      out.putLong(row.id.getMostSignificantBits()).putLong(row.id.getLeastSignificantBits());
      for (byte[] text : bytes) out.putShort((short) text.length).put(text);
      return out.array();
    }

    static Row unpack(byte[] packed) {
      ByteBuffer in = ByteBuffer.wrap(packed);
      UUID id = new UUID(in.getLong(), in.getLong());
      String[] t = new String[10];
      for (int i = 0; i < t.length; i++) {
        byte[] text = new byte[in.getShort()];
        in.get(text);
        t[i] = new String(text, StandardCharsets.UTF_8);
      }
      return new Row(id, t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7], t[8], t[9]);
    }
  }

  static double now() {
    return System.nanoTime() * 1e-9; // CLOCK_MONOTONIC
  }

  static double cpu() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() * 1e-9;
  }

  static long peakMib() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    }
    return 0;
  }

  static void load(String address, String file) throws Exception {
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
      admin.createTopics(List.of(new NewTopic(TOPIC, 1, (short) 1))).all().get();
    }
    Map<String, Object> settings = Map.of("bootstrap.servers", address, ProducerConfig.LINGER_MS_CONFIG, 5,
        ProducerConfig.BATCH_SIZE_CONFIG, 256 * 1024, ProducerConfig.BUFFER_MEMORY_CONFIG, 64L << 20);
    try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        BufferedReader lines = Files.newBufferedReader(Path.of(file))) {
      for (String line; (line = lines.readLine()) != null; ) {
        String id = line.substring(7, 43); // {"id":"…
        producer.send(new ProducerRecord<>(TOPIC, id.getBytes(StandardCharsets.UTF_8), line.getBytes(StandardCharsets.UTF_8)));
      }
    }
  }

  /** One reading of the topic from its start by a new application. */
  static class Pass {
    final boolean table;
    final long records;
    final CountDownLatch done = new CountDownLatch(1);
    long seen = 0;
    long complete = 0;
    double begin, cpuBegin;

    Pass(boolean table, long records) {
      this.table = table;
      this.records = records;
    }

    void count(Row row) {
      if (seen == 0) {
        begin = now();
        cpuBegin = cpu();
      }
      if (row.complete()) complete++;
      if (++seen == records) done.countDown();
    }

    /** A blind put, for a KTable would read each key's old row first. The store's changelog topic is what makes it durable. */
    class Upsert implements Processor<byte[], Row, Void, Void> {
      private KeyValueStore<byte[], Row> store;

      @Override
      public void init(ProcessorContext<Void, Void> context) {
        store = context.getStateStore("rows");
      }

      @Override
      public void process(Record<byte[], Row> record) {
        store.put(record.key(), record.value());
        count(record.value());
      }
    }

    StreamsBuilder topology() {
      ObjectReader reader = new ObjectMapper().readerFor(User.class);
      StreamsBuilder builder = new StreamsBuilder();
      KStream<byte[], Row> rows = builder.stream(TOPIC, Consumed.with(Serdes.ByteArray(), Serdes.ByteArray())).mapValues(bytes -> {
        try {
          return Row.of(reader.readValue(bytes));
        } catch (IOException e) {
          throw new IllegalArgumentException(e);
        }
      });
      if (table) {
        Serde<Row> packed = Serdes.serdeFrom((topic, row) -> Row.pack(row), (topic, bytes) -> Row.unpack(bytes));
        builder.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("rows"), Serdes.ByteArray(), packed));
        rows.process(() -> new Upsert(), "rows");
      } else {
        rows.foreach((key, row) -> count(row));
      }
      return builder;
    }

    Properties settings(String address, String dir) {
      Properties p = new Properties();
      p.put(StreamsConfig.APPLICATION_ID_CONFIG, "peer-" + System.nanoTime());
      p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, address);
      p.put(StreamsConfig.STATE_DIR_CONFIG, dir);
      p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
      if (table) {
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 5000); // at the default 100 ms it commits more than it works
        p.put(ProducerConfig.BATCH_SIZE_CONFIG, 256 * 1024);
      }
      p.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
      p.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5000);
      p.put(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG, 4 << 20);
      p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 10000);
      return p;
    }

    /** A table is done when its rows are committed, which closing does. */
    void run(String address, String dir, int number) throws Exception {
      try (KafkaStreams streams = new KafkaStreams(topology().build(), settings(address, dir))) {
        streams.setUncaughtExceptionHandler(e -> {
          e.printStackTrace();
          System.exit(1);
          return null;
        });
        streams.start();
        done.await();
        if (table) streams.close();
        double seconds = now() - begin, cpu = cpu() - cpuBegin;
        System.out.printf("{\"case\":\"pass %d\",\"records\":%d,\"begin\":%.6f,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_mib\":%d}%n",
            number, complete, begin, seconds, cpu, peakMib());
        streams.close();
        streams.cleanUp();
      }
    }
  }

  public static void main(String[] args) throws Exception {
    if (args[0].equals("load")) {
      load(args[1], args[2]);
      return;
    }
    for (int pass = 1; pass <= Integer.parseInt(args[3]); pass++) {
      new Pass(args[0].equals("table"), Long.parseLong(args[2])).run(args[1], args[4], pass);
    }
  }
}
