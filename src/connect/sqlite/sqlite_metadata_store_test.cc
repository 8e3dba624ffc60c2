#include "connect/sqlite/sqlite_metadata_store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "connect/sqlite/database.h"
#include "port/metadata_store_contract.h"

namespace millrace::port {
namespace {

namespace fs = std::filesystem;

/// A folder that goes with its last owner.
std::shared_ptr<fs::path> temporary_folder() {
  std::string name = (fs::temp_directory_path() / "sqlite_test_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) return nullptr;
  return {new fs::path(name), [](fs::path* path) {
            fs::remove_all(*path);
            delete path;
          }};
}

StoreUnderTest make_sqlite() {
  auto folder = temporary_folder();
  return {[folder] { return connect::sqlite::open_metadata_store((*folder / "meta.db").string()); }};
}

INSTANTIATE_TEST_SUITE_P(Sqlite, MetadataStoreContract, testing::Values(make_sqlite));

TEST(SqliteMetadataStore, a_newer_format_is_refused_and_left_as_it_is) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string();
  ASSERT_TRUE(connect::sqlite::open_metadata_store(path));
  {
    auto db = connect::sqlite::Database::open(path);
    ASSERT_TRUE((*db)->execute("PRAGMA user_version=2; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE"));
  }
  auto time_before = fs::last_write_time(path);
  auto opened = connect::sqlite::open_metadata_store(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(fs::last_write_time(path), time_before);
}

TEST(SqliteMetadataStore, a_database_of_somebody_else_is_refused) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string();
  {
    auto db = connect::sqlite::Database::open(path);
    ASSERT_TRUE((*db)->execute("CREATE TABLE theirs(x)"));
  }
  EXPECT_EQ(connect::sqlite::open_metadata_store(path).error().code, Errc::kCorruption);
}

TEST(SqliteMetadataStore, a_file_that_is_no_database_is_refused) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string();
  std::ofstream(path) << std::string(8192, 'x');
  EXPECT_EQ(connect::sqlite::open_metadata_store(path).error().code, Errc::kCorruption);
}

TEST(SqliteMetadataStore, a_folder_that_is_missing_is_an_error_with_the_path) {
  auto opened = connect::sqlite::open_metadata_store("/nonexistent/meta.db");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("/nonexistent/meta.db"), std::string::npos);
}

TEST(SqliteMetadataStore, a_query_sees_whole_batches_while_another_thread_writes) {
  auto folder = temporary_folder();
  auto store = connect::sqlite::open_metadata_store((*folder / "meta.db").string());
  ASSERT_TRUE(store);
  std::thread writer([&] {
    for (int i = 0; i < 20; ++i) {
      RunRow run;
      run.dag_id = "d";
      run.run_id = std::to_string(i);
      run.state = "queued";
      TaskRow task;
      task.dag_id = "d";
      task.run_id = run.run_id;
      task.task_id = "t";
      ASSERT_TRUE((*store)->apply({{}, {run}, {task}, {}}));
    }
  });
  size_t seen = 0;
  while (seen < 20) {
    auto runs = (*store)->unfinished_runs();
    ASSERT_TRUE(runs) << runs.error().message;
    ASSERT_GE(runs->size(), seen);
    seen = runs->size();
    for (const StoredRun& run : *runs) ASSERT_EQ(run.tasks.size(), 1u);
  }
  writer.join();
}

TEST(SqliteMetadataStore, a_copy_is_made_beside_its_user) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string(), copy = (*folder / "copy 'of' meta.db").string();
  auto store = connect::sqlite::open_metadata_store(path);
  DagRow dag;
  dag.dag_id = "d";
  ASSERT_TRUE((*store)->apply({{dag}, {}, {}, {}}));
  auto made = connect::sqlite::copy_metadata_store(path, copy);
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_TRUE(connect::sqlite::verify_metadata_store(copy));
  auto copied = connect::sqlite::open_metadata_store(copy);
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ((*copied)->dags()->size(), 1u);
  EXPECT_FALSE(connect::sqlite::copy_metadata_store(path, copy)) << "it is there already";
}

/// Names and bytes of the files of a folder, without SQLite's index of a log, which says nothing of its own.
std::map<std::string, std::string> content_of(const fs::path& folder) {
  std::map<std::string, std::string> content;
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::ifstream file(entry.path(), std::ios::binary);
    if (entry.path().extension() != ".db-shm") content[entry.path().filename()] = {std::istreambuf_iterator<char>(file), {}};
  }
  return content;
}

TEST(SqliteMetadataStore, reading_at_rest_changes_nothing) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string();
  DagRow dag;
  dag.dag_id = "d";
  auto killed = temporary_folder();
  {
    auto store = connect::sqlite::open_metadata_store(path);
    ASSERT_TRUE((*store)->apply({{dag}, {}, {}, {}}));
    // As kill -9 would leave it: with a log that holds everything.
    for (const char* name : {"meta.db", "meta.db-wal"}) fs::copy_file(*folder / name, *killed / name);
  }
  for (const auto& place : {*folder, *killed}) {
    auto before = content_of(place);
    {
      auto store = connect::sqlite::open_metadata_store_at_rest((place / "meta.db").string());
      ASSERT_TRUE(store) << store.error().message;
      EXPECT_EQ((*store)->dags()->size(), 1u);
      EXPECT_EQ((*store)->apply({{dag}, {}, {}, {}}).error().code, Errc::kFailedPrecondition);
    }
    EXPECT_EQ(content_of(place), before);
  }
}

TEST(SqliteMetadataStore, nothing_is_left_in_the_log_though_somebody_else_has_the_file_open) {
  auto folder = temporary_folder();
  std::string path = (*folder / "meta.db").string();
  auto store = connect::sqlite::open_metadata_store(path);
  DagRow dag;
  dag.dag_id = "d";
  ASSERT_TRUE((*store)->apply({{dag}, {}, {}, {}}));
  auto other = connect::sqlite::Database::open(path);
  ASSERT_EQ(*(*other)->query_integer("SELECT count(*) FROM dags"), 1);
  store->reset();
  EXPECT_EQ(fs::file_size(path + "-wal"), 0u);
}

}  // namespace
}  // namespace millrace::port
