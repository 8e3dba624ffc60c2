#pragma once

#include <map>
#include <memory>
#include <string>

#include "connect/webhook/sink.h"
#include "env/env.h"
#include "port/sink.h"
#include "store/store.h"

namespace millrace::connect::webhook {

struct WebhookOptions {
  std::string url;  // http or https; `{name}` stands for the name behind the connection's
  std::map<std::string, std::string> options;
  std::string pipeline;
};

/// What is wrong with a connection's URL or options, without asking anybody. kInvalidArgument.
///   format               json (default: an array), ndjson
///   method               POST (default), PUT
///   rows_max, bytes_max  of a request: 500, 1MiB
///   timeout              of a request: 10s
///   header.<Name>        a header of every request
///   auth.bearer, auth.basic.user, auth.basic.password
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

/// Somebody who is told of rows by HTTP. Threading: one thread. Lifetime: the store and env outlive it and its sinks.
class WebhookStore {
 public:
  static Result<std::unique_ptr<WebhookStore>> open(WebhookOptions options, store::Store& store, const env::Env& env);
  Result<std::unique_ptr<port::Sink>> sink(const std::string& name, const std::string& query,
                                           std::shared_ptr<const model::Schema> output);

 private:
  WebhookStore(WebhookSpec spec, store::Store& store, const env::Env& env) : spec_(std::move(spec)), store_(store), env_(env) {}

  const WebhookSpec spec_;  // but for the query; its URL may hold `{name}`
  store::Store& store_;
  const env::Env env_;
};

}  // namespace millrace::connect::webhook
