// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/backend.hpp>

#include <coproc/detail/fork_mutex.hpp>
#include <coproc/detail/forks.hpp>

#include <cstdlib>
#include <map>
#include <mutex>
#include <stdexcept>

namespace coproc::detail {

namespace {

constexpr unsigned most_workers = 4096;

struct backend_registry {
    fork_mutex mutex;
    std::map<std::string, backend_factory, std::less<>> factories{{"process", make_process_backend},
                                                                  {"dummy", make_dummy_backend}};
};

backend_registry& registry() {
    static auto* r = new backend_registry; // leaked: pools may outlive static objects
    return *r;
}

const made_before_main made_early{registry};

void check_number(unsigned number, const char* of_what, const char* hint) {
    if (number > most_workers)
        throw std::invalid_argument{"coproc::pool: " + std::to_string(number) + of_what +
                                    " were asked for; at most " + std::to_string(most_workers) +
                                    " make sense" + hint};
}

} // namespace

backend::backend(const pool_options& options)
    : generation_{count_forks()},
      callback_executor_{options.callback_executor},
      name_{options.name},
      default_label_{options.defaults.label},
      defaults_{options.defaults} {
    defaults_.label = default_label_;
}

[[gnu::hot]] bool backend::inherited() const noexcept { return count_forks() != generation_; }

void register_backend(std::string name, backend_factory factory) {
    const std::scoped_lock lock{registry().mutex};
    registry().factories.insert_or_assign(std::move(name), std::move(factory));
}

backend_ptr make_backend(const pool_options& options) {
    check_number(options.workers, " workers", " (0 means one for each CPU)");
    check_number(options.spare_workers.value_or(0), " spare workers", "");
    std::string name = options.backend;
    if (name.empty())
        if (const char* chosen = std::getenv("COPROC_BACKEND"))
            name = chosen; // NOLINT(concurrency-mt-unsafe)
    if (name.empty()) name = "process";
    backend_factory factory;
    std::string known;
    {
        const std::scoped_lock lock{registry().mutex};
        const auto at = registry().factories.find(name);
        if (at != registry().factories.end()) factory = at->second;
        for (const auto& [each, unused] : registry().factories)
            known += (known.empty() ? "" : ", ") + each;
    }
    if (!factory)
        throw std::invalid_argument{"coproc::pool: there is no backend \"" + name + "\" (known: " +
                                    known + "); see pool_options::backend and COPROC_BACKEND"};
    return factory(options);
}

} // namespace coproc::detail
