// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/child.hpp>

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/identity.hpp>
#include <coproc/error.hpp>
#include <coproc/log.hpp>
#include <coproc/process_handle.hpp>

#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace coproc::detail {
namespace {

using namespace std::chrono_literals;

struct identity_holder {
    std::mutex mutex;
    process_identity identity;
};

/// Leaked: asked for until the very end.
identity_holder& holder() {
    static auto* const instance = new identity_holder;
    return *instance;
}

const made_before_main made_early{holder};

/// By family_kind. Leaked, too; a fork's child makes its own.
std::atomic<child_family*> families[2];

thread_local const std::string* worker_thread_name = nullptr;

} // namespace

process_identity own_identity() {
    const std::scoped_lock lock{holder().mutex};
    return holder().identity;
}

void set_identity(process_identity identity) {
    worker_thread_name = nullptr; // a fork's only thread may have been a worker's
    const std::scoped_lock lock{holder().mutex};
    holder().identity = std::move(identity);
}

const std::string* name_of_worker_thread() noexcept { return worker_thread_name; }
void set_name_of_worker_thread(const std::string* name) noexcept { worker_thread_name = name; }

// --- the family -----------------------------------------------------------------------------------

child_family::child_family(std::string numbers)
    : generation_{count_forks()}, numbers_{std::move(numbers)} {}

bool child_family::inherited() const noexcept { return count_forks() != generation_; }

std::string child_family::next_numbers() {
    const std::scoped_lock lock{mutex_};
    const auto number = std::to_string(++made_);
    return numbers_.empty() ? number : numbers_ + ':' + number;
}

std::vector<child_ptr> child_family::all() const {
    const std::scoped_lock lock{mutex_};
    std::vector<child_ptr> result;
    result.reserve(running_.size());
    for (const auto& [place, each] : running_)
        result.push_back(each);
    return result;
}

std::vector<child_ptr> child_family::active() const {
    auto result = all();
    std::erase_if(result, [](const child_ptr& c) { return !c->is_alive(); });
    return result;
}

child_ptr child_family::next_to_wait_for() const {
    const std::scoped_lock lock{mutex_};
    for (const auto& [place, each] : running_)
        if (!each->daemon() && each->now() != child::state::starting && !each->is_caller())
            return each;
    return {};
}

void child_family::finish(std::chrono::nanoseconds patience_with_daemons) noexcept {
    try {
        while (const auto next = next_to_wait_for()) {
            next->end_->wait();
            next->collect();
            next->report_untold();
        }
        const auto daemons = all();
        for (const auto& each : daemons)
            if (each->now() == child::state::running && !each->is_caller())
                each->send(child::request::kill);
        if (patience_with_daemons.count() == 0) return;
        const auto deadline = deadline_after(patience_with_daemons);
        for (const auto& each : daemons)
            if (each->now() == child::state::running) each->end_->wait(deadline);
    } catch (const std::exception& e) {
        log(log_kind::other, std::string{"cannot wait for a process: "} + e.what());
    }
}

family_ptr family_of_program(family_kind kind) {
    auto& slot = families[static_cast<std::size_t>(kind)];
    auto* present = slot.load(std::memory_order_acquire);
    if (present != nullptr && !present->inherited()) return family_ptr{present};
    // Exit handlers run in the reverse order: static objects that are made later are destroyed
    // before the children are waited for, those that are there already live as long as these wait.
    static const int registered = std::atexit([] { finish_children(); });
    static_cast<void>(registered);
    family_ptr fresh{new child_family{own_identity().numbers}};
    intrusive_ptr_add_ref(fresh.get()); // for ever
    if (slot.compare_exchange_strong(present, fresh.get(), std::memory_order_acq_rel)) return fresh;
    intrusive_ptr_release(fresh.get());
    return family_ptr{present};
}

void finish_children() noexcept {
    for (const auto kind : {family_kind::processes, family_kind::threads}) {
        auto* const family = families[static_cast<std::size_t>(kind)].load();
        if (family == nullptr || family->inherited()) continue;
        // A killed process is gone in no time. A thread can only be asked.
        family->finish(kind == family_kind::processes ? 5s : 0s);
    }
}

void print_failure(const std::string& process_name) noexcept {
    try {
        const auto exception = std::current_exception();
        std::string text = "coproc: process \"" + process_name + "\" was ended by an exception:\n";
        std::istringstream frames{thrown_backtrace(exception).text()};
        for (std::string line; std::getline(frames, line);)
            text += "  " + line + '\n';
        text += format_exception(exception);
        std::fwrite(text.data(), 1, text.size(), stderr);
    } catch (...) {
        std::fprintf(stderr, "coproc: process \"%s\" was ended by an exception\n",
                     process_name.c_str());
    }
    std::fflush(stderr);
}

// --- waiting --------------------------------------------------------------------------------------

class child::join_operation final : public operation<void> {
public:
    explicit join_operation(child& of) noexcept : child_{&of} {}

    bool cancel() noexcept override {
        if (!claim()) return false;
        {
            const std::scoped_lock lock{child_->mutex_};
            std::erase(child_->waiting_, this);
        }
        fail(std::make_exception_ptr(
            cancelled_error{"coproc: waiting for a process was cancelled"}));
        return true;
    }

    void finish() noexcept {
        if (!claim()) return;
        if (child_->error_) {
            child_->told_.store(true, std::memory_order_relaxed);
            fail(child_->error_);
        } else {
            succeed();
        }
    }

private:
    const child_ptr child_;
};

bool child::join(std::optional<steady::time_point> deadline) {
    require_joinable();
    if (!end_->wait(deadline)) return false;
    collect();
    if (error_) {
        told_.store(true, std::memory_order_relaxed);
        std::rethrow_exception(error_);
    }
    return true;
}

state_ptr<void> child::start_join() {
    require_joinable();
    const boost::intrusive_ptr<join_operation> waiting{new join_operation{*this}};
    {
        const std::scoped_lock lock{mutex_};
        if (now() != state::ended) {
            waiting_.push_back(waiting);
            return waiting;
        }
    }
    waiting->finish();
    return waiting;
}

void child::settle() noexcept {
    if (inherited() || self_ || is_caller() || daemon()) return;
    if (const auto s = now(); s != state::running && s != state::ended) return;
    try {
        end_->wait();
    } catch (const std::exception& e) {
        log(log_kind::other, std::string{"cannot wait for a process: "} + e.what());
    }
    collect();
    report_untold();
}

void child::report_untold() noexcept {
    if (now() != state::ended || !error_ || told_.exchange(true)) return;
    try {
        log(log_kind::other,
            "process \"" + name() + "\" has not run:\n" + format_exception(error_));
    } catch (...) {
        log(log_kind::other, "a process has not run");
    }
}

// --- the child ------------------------------------------------------------------------------------

child::child(family_ptr family, process_options options)
    : family_{std::move(family)},
      numbers_{family_->next_numbers()},
      daemon_{options.daemon},
      options_{std::move(options)} {
    if (options_.name.empty()) options_.name = "process-" + numbers_;
}

child::child(family_ptr family, process_options options, self_tag)
    : family_{std::move(family)},
      self_{true},
      daemon_{options.daemon},
      state_{state::running},
      options_{std::move(options)} {}

child::~child() = default;

std::string child::name() const {
    const std::scoped_lock lock{mutex_};
    return options_.name;
}

void child::rename(std::string name) {
    const std::scoped_lock lock{mutex_};
    options_.name = std::move(name);
}

void child::set_daemon(bool daemon) {
    const std::scoped_lock lock{mutex_};
    if (now() != state::made)
        throw std::logic_error{"coproc: process \"" + options_.name +
                               "\" was started: whether it is a daemon is decided before that"};
    options_.daemon = daemon;
    daemon_.store(daemon, std::memory_order_relaxed);
}

process_options child::begin_start() {
    if (inherited())
        throw std::logic_error{"coproc: this process object belongs to the process that this one "
                               "was forked from: make a new one"};
    process_options settings;
    {
        const std::scoped_lock lock{mutex_};
        auto expected = state::made;
        if (self_ || !state_.compare_exchange_strong(expected, state::starting))
            throw std::logic_error{"coproc: process \"" + options_.name +
                                   "\" was started before: a process is started once, make "
                                   "another one to run it again"};
        settings = options_;
    }
    try {
        const std::scoped_lock lock{family_->mutex_};
        place_ = ++family_->started_;
        family_->running_.emplace(place_, this);
    } catch (...) {
        state_.store(state::made);
        throw;
    }
    return settings;
}

void child::start_succeeded() noexcept {
    auto expected = state::starting;
    state_.compare_exchange_strong(expected, state::running);
}

void child::start_failed() noexcept {
    const child_ptr alive{this};
    {
        const std::scoped_lock lock{family_->mutex_};
        family_->running_.erase(place_);
    }
    state_.store(state::made);
}

void child::ended(int exit_code, std::exception_ptr error) noexcept {
    const child_ptr alive{this};
    {
        const std::scoped_lock lock{family_->mutex_};
        family_->running_.erase(place_);
    }
    std::vector<boost::intrusive_ptr<join_operation>> waiting;
    {
        const std::scoped_lock lock{mutex_};
        exit_code_ = exit_code;
        error_ = std::move(error);
        state_.store(state::ended, std::memory_order_release);
        waiting.swap(waiting_);
    }
    if (end_->claim()) end_->succeed();
    for (const auto& each : waiting)
        each->finish();
}

bool child::is_alive() const noexcept {
    return !inherited() && now() == state::running && !has_ended();
}

std::optional<int> child::exit_code() const {
    if (inherited() || self_) return std::nullopt;
    if (now() == state::running && has_ended()) end_->wait(); // it is about to be known
    if (now() != state::ended) return std::nullopt;
    return exit_code_;
}

void child::stop(request how) {
    require_started(how == request::kill ? "killed" : "terminated");
    if (now() == state::running) send(how);
}

void child::require_started(const char* what) const {
    if (inherited())
        throw std::logic_error{"coproc: process \"" + name() + "\" cannot be " + what +
                               " here: it belongs to the process that this one was forked from"};
    if (const auto s = now(); s == state::made || s == state::starting)
        throw std::logic_error{"coproc: process \"" + name() + "\" cannot be " + what +
                               ": it was not started"};
}

void child::require_joinable() const {
    require_started("joined");
    if (self_ || is_caller())
        throw std::logic_error{"coproc: process \"" + name() +
                               "\" cannot be joined: it is the one that asks, and would wait for "
                               "itself"};
}

// --- its owner ------------------------------------------------------------------------------------

void refuse_empty_process() {
    throw std::logic_error{"coproc: this process handle is empty: it was made without a function, "
                           "moved from, or closed"};
}

process_owner::~process_owner() {
    if (child_) child_->settle();
}

process_owner& process_owner::operator=(process_owner&& other) noexcept {
    if (this == &other) return *this;
    const auto former = std::exchange(child_, std::exchange(other.child_, nullptr));
    if (former) former->settle();
    return *this;
}

void process_owner::close() {
    if (!child_) return;
    if (child_->is_alive())
        throw std::logic_error{"coproc: process \"" + child_->name() +
                               "\" cannot be closed while it runs: join it first, or terminate and "
                               "join it"};
    child_->settle();
    child_ = nullptr;
}

} // namespace coproc::detail
