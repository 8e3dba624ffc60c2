#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "connect/cassandra/tables.h"
#include "port/table_store_contract.h"

namespace millrace::port {
namespace {

/// Against the server that MILLRACE_TEST_CASSANDRA names. The tables stay there: their server is the tests' own.
TablesUnderTest make_tables() {
  TablesUnderTest under_test;
  const char* server = std::getenv("MILLRACE_TEST_CASSANDRA");
  if (server == nullptr) return under_test;
  std::random_device random;
  auto opened = connect::cassandra::CassandraTables::open({fmt::format("cassandra://{}", server), {}}, env::real_env());
  EXPECT_TRUE(opened) << opened.error().message;
  under_test.store = std::move(*opened);
  under_test.table = fmt::format("contract.t_{:08x}{:08x}", random(), random());
  return under_test;
}

}  // namespace
INSTANTIATE_TEST_SUITE_P(Cassandra, TableStoreContract, testing::Values(MakeTables(make_tables)));
}  // namespace millrace::port
