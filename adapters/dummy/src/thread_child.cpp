// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <thread_child.hpp>

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/identity.hpp>

#include <algorithm>
#include <csignal>
#include <new>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace coproc::detail {
namespace {

thread_local thread_child* current_child = nullptr;
thread_local child_ptr next_child;

family_ptr family_here() {
    return current_child != nullptr ? current_child->children()
                                    : family_of_program(family_kind::threads);
}

void name_this_thread(const std::string& name) noexcept {
    char text[16] = {};
    name.copy(text, sizeof text - 1);
    ::pthread_setname_np(::pthread_self(), text);
}

} // namespace

thread_child* thread_child::current() noexcept { return current_child; }

thread_child::thread_child(process_options options, std::unique_ptr<thread_target> target)
    : child{family_here(), std::move(options)},
      parent_{current_child},
      children_{new child_family{numbers()}},
      target_{std::move(target)} {
    attempt = 0; // as anywhere outside a pool's task
}

thread_child::~thread_child() {
    if (!thread_.joinable()) return;
    if (inherited())
        ::new (&thread_) std::thread; // there is no such thread in the child of a fork
    else if (thread_.get_id() == std::this_thread::get_id())
        thread_.detach(); // the last reference was the thread's own
    else
        thread_.join();
}

void thread_child::start(std::unique_ptr<thread_target> target) {
    own_name_ = begin_start().name;
    try {
        if (target == nullptr) target = std::move(target_);
        if (target == nullptr) throw std::logic_error{"coproc: a process without a function"};
        // In case there is no thread to be had, the target stays here.
        auto handed_over = std::make_shared<std::unique_ptr<thread_target>>(std::move(target));
        try {
            const std::scoped_lock lock{thread_mutex_};
            started_.store(true);
            thread_ = std::thread{[me = boost::intrusive_ptr<thread_child>{this}, handed_over] {
                me->main(std::move(*handed_over));
            }};
        } catch (...) {
            started_.store(false);
            target_ = std::move(*handed_over);
            throw;
        }
    } catch (...) {
        start_failed();
        throw;
    }
    start_succeeded();
}

void thread_child::main(std::unique_ptr<thread_target> target) noexcept {
    current_child = this;
    start_succeeded(); // before its target asks about itself
    name_this_thread(own_name_);
    int exit_code = run(*target);
    target.reset();
    children_->finish(std::chrono::nanoseconds{0});
    next_child.reset();
    current_child = nullptr;
    ended(exit_code);
}

int thread_child::run(thread_target& target) noexcept {
    const bool traced = trace_throws(true);
    int exit_code = 0;
    try {
        const running_task::scope running{*this};
        target.run();
        exit_code = -asked_.load(std::memory_order_relaxed);
    } catch (...) {
        print_failure(own_name_);
        exit_code = 1;
    }
    trace_throws(traced);
    return exit_code;
}

pid_t thread_child::pid() const noexcept { return started_.load() ? ::getpid() : 0; }

void thread_child::send(request how) noexcept {
    asked_.store(how == request::kill ? SIGKILL : SIGTERM, std::memory_order_relaxed);
    stop_.request_stop();
}

bool thread_child::is_caller() const noexcept {
    for (const auto* each = current(); each != nullptr; each = each->parent_.get())
        if (each == this) return true;
    return false;
}

/// Waits for the thread's last steps, the destructors of its thread_local objects.
void thread_child::collect() noexcept {
    const std::scoped_lock lock{thread_mutex_};
    if (thread_.joinable() && thread_.get_id() != std::this_thread::get_id()) thread_.join();
}

// --- for the headers ------------------------------------------------------------------------------

child_ptr new_thread_process(process_options options, std::unique_ptr<thread_target> target) {
    if (next_child) return std::exchange(next_child, nullptr);
    return child_ptr{new thread_child{std::move(options), std::move(target)}};
}

void start_thread_process(child& process) { static_cast<thread_child&>(process).start(nullptr); }

void start_thread_process(child& process, std::unique_ptr<thread_target> target) {
    static_cast<thread_child&>(process).start(std::move(target));
}

void make_next_thread_process(child_ptr self) noexcept { next_child = std::move(self); }

child_ptr this_thread_process() noexcept { return child_ptr{current_child}; }

} // namespace coproc::detail
