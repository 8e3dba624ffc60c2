#include <gtest/gtest.h>

#include <filesystem>

#include "base/log.h"
#include "connect/embedded/embedded_tables.h"
#include "connect/embedded/embedded_topics.h"
#include "env/fault_file_system.h"
#include "port/table_store_contract.h"
#include "port/topic_store_contract.h"

namespace millrace::connect::embedded {
namespace {

/// A store, a log and tables in a directory of their own.
struct Bed {
  Bed() {
    set_log_level(LogLevel::kOff);
    std::string pattern = testing::TempDir() + "embedded_contract_XXXXXX";
    path = mkdtemp(pattern.data());
    store = std::move(*store::Store::open({.path = path + "/store"}));
    EXPECT_TRUE(files.create_directories("/log"));
    log = std::move(*log::Log::open({files, clock, random}, "/log", *store, {}));
    tables = std::move(*table::Tables::open(*store));
  }
  ~Bed() {
    tables.reset();
    log.reset();
    store.reset();
    std::filesystem::remove_all(path);
  }
  std::string path;
  env::FaultFileSystem files;
  env::FakeClock clock{instant_from_millis(1'700'000'100'000)};
  env::SeededRandom random{1};
  std::unique_ptr<store::Store> store;
  std::unique_ptr<log::Log> log;
  std::unique_ptr<table::Tables> tables;
};

port::TopicsUnderTest make_topics() {
  auto bed = std::make_shared<Bed>();
  port::TopicsUnderTest under_test;
  under_test.store = std::make_shared<EmbeddedTopics>(*bed->log);
  under_test.topic = "t";
  under_test.commit_batch = [bed](store::Batch batch) { return bed->store->commit(std::move(batch), store::Durability::kSync); };
  under_test.give_to = [bed](const std::string& topic, const std::string& query) {
    log::TopicSettings settings = bed->log->find(topic)->settings();
    settings.owner = query;
    EXPECT_TRUE(bed->log->alter(topic, settings));
  };
  under_test.owner = bed;
  return under_test;
}

port::TablesUnderTest make_tables() {
  auto bed = std::make_shared<Bed>();
  port::TablesUnderTest under_test;
  under_test.store = std::make_shared<EmbeddedTables>(*bed->tables, *bed->store, bed->clock);
  under_test.table = "k.t";
  under_test.commit_batch = [bed](store::Batch batch) { return bed->store->commit(std::move(batch), store::Durability::kLog); };
  under_test.owner = bed;
  return under_test;
}

}  // namespace
}  // namespace millrace::connect::embedded

namespace millrace::port {
INSTANTIATE_TEST_SUITE_P(Embedded, TopicStoreContract, testing::Values(MakeTopics(connect::embedded::make_topics)));
INSTANTIATE_TEST_SUITE_P(Embedded, TableStoreContract, testing::Values(MakeTables(connect::embedded::make_tables)));
}  // namespace millrace::port
