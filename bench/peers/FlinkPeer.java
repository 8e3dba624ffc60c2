import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * The main job in Flink SQL, on one slot of a cluster within this JVM: a topic of JSON, 11 of its 12 fields, into nothing.
 *
 * <p>`ADDRESS TOPIC RECORDS PASSES` reads the topic so many times and prints a line of JSON a pass. The pass before the first counts the
 * records. A pass takes as long as the job, which is longer than from its first record to its last by 0.1 s or so.
 */
public class FlinkPeer {
  static final String COLUMNS = "id, first_name, last_name, gender, address, post_code, email, username, registered_date, phone, picture";

  static double cpu() {
    return ((OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime() * 1e-9;
  }

  static long peakMib() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) / 1024;
    }
    return 0;
  }

  static StreamTableEnvironment environment(String address, String topic) {
    StreamExecutionEnvironment local = StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
    local.getConfig().enableObjectReuse();
    StreamTableEnvironment flink = StreamTableEnvironment.create(local);
    flink.executeSql("CREATE TABLE users (id STRING, first_name STRING, last_name STRING, gender STRING, address STRING, post_code STRING,"
        + " email STRING, username STRING, dob STRING, registered_date STRING, phone STRING, picture STRING) WITH ('connector' = 'kafka',"
        + " 'topic' = '" + topic + "', 'properties.bootstrap.servers' = '" + address + "', 'scan.startup.mode' = 'earliest-offset',"
        + " 'scan.bounded.mode' = 'latest-offset', 'format' = 'json', 'properties.max.partition.fetch.bytes' = '4194304',"
        + " 'properties.max.poll.records' = '5000')");
    StringBuilder columns = new StringBuilder();
    for (String column : COLUMNS.split(", ")) columns.append(columns.length() > 0 ? ", " : "").append(column).append(" STRING");
    flink.executeSql("CREATE TABLE nothing (" + columns + ") WITH ('connector' = 'blackhole')");
    return flink;
  }

  static long count(StreamTableEnvironment flink) throws Exception {
    long count = 0;
    try (CloseableIterator<Row> rows = flink.executeSql("SELECT COUNT(picture) FROM users").collect()) {
      while (rows.hasNext()) count = rows.next().<Long>getFieldAs(0); // each is an update of the one before
    }
    return count;
  }

  public static void main(String[] args) throws Exception {
    StreamTableEnvironment flink = environment(args[0], args[1]);
    long records = count(flink);
    if (records != Long.parseLong(args[2])) throw new IllegalStateException(records + " records");
    for (int pass = 1; pass <= Integer.parseInt(args[3]); pass++) {
      double begin = System.nanoTime() * 1e-9, cpuBegin = cpu();
      flink.executeSql("INSERT INTO nothing SELECT " + COLUMNS + " FROM users").await();
      double seconds = System.nanoTime() * 1e-9 - begin, cpu = cpu() - cpuBegin;
      System.out.printf(Locale.ROOT, "{\"case\":\"pass %d\",\"records\":%d,\"begin\":%.6f,\"seconds\":%.6f,\"cpu_seconds\":%.6f,\"peak_mib\":%d}%n",
          pass, records, begin, seconds, cpu, peakMib());
    }
  }
}
