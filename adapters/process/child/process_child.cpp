// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <child/process_child.hpp>

#include <coproc/error.hpp>
#include <os/pidfd.hpp>
#include <os/signals.hpp>

#include <child/child_watch.hpp>
#include <child/run_message.hpp>
#include <csignal>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace coproc::detail {
namespace {

thread_local child_ptr next_process;

process_options options_of(const process_identity& identity) {
    process_options options;
    options.name = identity.name;
    options.daemon = identity.daemon;
    return options;
}

} // namespace

process_child::process_child(process_options options, std::unique_ptr<const process_job> job)
    : child{family_of_program(family_kind::processes), std::move(options)}, job_{std::move(job)} {}

process_child::process_child()
    : child{family_of_program(family_kind::processes), options_of(own_identity()), self_tag::self},
      pid_{::getpid()} {}

void process_child::start(const process_job* job) {
    // Before all else: in a process that lacks the runtime line, this would be the start of a chain
    // of processes without end.
    refuse_if_worker_without_runtime();
    const process_options settings = begin_start();
    try {
        if (job == nullptr) job = job_.get();
        if (job == nullptr) throw std::logic_error{"coproc: a process without a function"};
        launch(settings, *job);
    } catch (...) {
        pid_.store(0, std::memory_order_relaxed);
        {
            const std::scoped_lock lock{process_mutex_};
            process_.reset(); // killed and collected
        }
        start_failed();
        throw;
    }
    job_.reset();
    start_succeeded();
}

void process_child::launch(const process_options& settings, const process_job& job) {
    launch_request how;
    how.method = settings.start.value_or(get_start_method());
    how.name = settings.name;
    const run_message message{settings, numbers(), job}; // sizes the arguments: what is wrong with
                                                         // them shows before there is a process
    std::shared_ptr<worker_process> process = detail::launch(how);
    message.send(process->channel());
    pid_.store(process->pid(), std::memory_order_relaxed);
    const auto watch = std::make_shared<child_watch>(*this, process);
    {
        const std::scoped_lock lock{process_mutex_};
        process_ = std::move(process);
    }
    watch->begin();
}

void process_child::watched(int exit_code, std::exception_ptr error) noexcept {
    std::shared_ptr<worker_process> process;
    {
        const std::scoped_lock lock{process_mutex_};
        process.swap(process_);
        collected_.store(true, std::memory_order_relaxed);
    }
    process.reset(); // its descriptors are closed before anybody is told
    ended(exit_code, std::move(error));
}

std::shared_ptr<worker_process> process_child::process() const noexcept {
    const std::scoped_lock lock{process_mutex_};
    return process_;
}

void process_child::send(request how) noexcept {
    const auto running = process();
    if (!running) {
        if (pid() == ::getpid()) ::kill(pid(), how == request::kill ? SIGKILL : SIGTERM);
        return;
    }
    if (how == request::kill)
        running->kill();
    else
        os::send_signal(running->pidfd(), SIGTERM);
}

bool process_child::has_ended() const noexcept {
    const auto running = process();
    return running ? os::has_ended(running->pidfd()) : collected_.load(std::memory_order_relaxed);
}

// --- for the headers ------------------------------------------------------------------------------

child_ptr new_process(process_options options, std::unique_ptr<const process_job> job) {
    if (next_process) return std::exchange(next_process, nullptr);
    return child_ptr{new process_child{std::move(options), std::move(job)}};
}

void start_process(child& process) { static_cast<process_child&>(process).start(nullptr); }

void start_process(child& process, const process_job& job) {
    static_cast<process_child&>(process).start(&job);
}

void make_next_process(child_ptr self) noexcept { next_process = std::move(self); }

} // namespace coproc::detail
