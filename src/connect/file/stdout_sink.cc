#include "connect/file/stdout_sink.h"

#include <cerrno>
#include <system_error>

#include "format/json_write.h"

namespace millrace::connect::file {
namespace {
constexpr size_t kLinesBytesMax = 4 << 20;
}

Result<port::SinkReport> StdoutSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>&, bool) {
  for (size_t row = 0; row < rows.rows; ++row) {
    format::append_row_json(lines_, rows, row);
    lines_ += '\n';
    if (lines_.size() >= kLinesBytesMax) TRY_DO(write_out());
  }
  return port::SinkReport{};
}

Status StdoutSink::commit(const port::Epoch&, store::Batch&) { return write_out(); }

Status StdoutSink::write_out() {
  bool whole = std::fwrite(lines_.data(), 1, lines_.size(), out_) == lines_.size() && std::fflush(out_) == 0;
  if (!whole) {
    int error = errno;
    std::clearerr(out_);
    if (error == EPIPE) return fail(Errc::kFailedPrecondition, "nobody reads the standard output any more");
    return fail(error == ENOSPC ? Errc::kDiskFull : Errc::kIo,
                "cannot write to the standard output: " + std::generic_category().message(error));
  }
  lines_.clear();
  return {};
}

}  // namespace millrace::connect::file
