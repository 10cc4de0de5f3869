// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/joinable_queue.hpp>
#include <coproc/dummy/pipe.hpp>

#include <stdexcept>

namespace coproc::detail::threads {

void unfinished::add() noexcept {
    const std::scoped_lock lock{mutex_};
    ++count_;
}

void unfinished::task_done() {
    wake_list wake;
    const std::scoped_lock lock{mutex_};
    if (count_ == 0)
        throw std::logic_error{
            "coproc: task_done() was called more often than elements were put into the queue"};
    --count_;
    let_pass(wake);
}

std::exception_ptr queue_closed() { return std::make_exception_ptr(queue_closed_error{}); }

std::exception_ptr end_of_stream() { return std::make_exception_ptr(end_of_stream_error{}); }

void connection_closed() {
    throw std::logic_error{"coproc: this end of the pipe was closed, or never opened"};
}

} // namespace coproc::detail::threads
