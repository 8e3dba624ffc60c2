#pragma once

namespace CLI {
class App;
}

namespace millrace::cli {

struct Session;

// One file a command; each adds itself, with its help, to the program.
void add_run(CLI::App& program, Session& session);
void add_check(CLI::App& program, Session& session);
void add_explain(CLI::App& program, Session& session);
void add_sql(CLI::App& program, Session& session);
void add_topic(CLI::App& program, Session& session);
void add_table(CLI::App& program, Session& session);
void add_query(CLI::App& program, Session& session);
void add_dags(CLI::App& program, Session& session);
void add_dead_letters(CLI::App& program, Session& session);
void add_status(CLI::App& program, Session& session);
void add_verify(CLI::App& program, Session& session);
void add_backup(CLI::App& program, Session& session);
void add_restore(CLI::App& program, Session& session);
void add_doctor(CLI::App& program, Session& session);
void add_init(CLI::App& program, Session& session);
void add_apply(CLI::App& program, Session& session);
void add_randomuser(CLI::App& program, Session& session);
void add_version(CLI::App& program, Session& session);
void add_completions(CLI::App& program, Session& session);

}  // namespace millrace::cli
