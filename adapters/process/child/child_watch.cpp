// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <child/child_watch.hpp>

#include <coproc/error.hpp>
#include <os/eventfd.hpp>
#include <os/pidfd.hpp>
#include <src/handshake.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <chrono>
#include <csignal>
#include <string>
#include <utility>

namespace coproc::detail {
namespace {

using namespace std::chrono_literals;
using descriptor = boost::asio::posix::stream_descriptor;

constexpr int exit_software = 70; // EX_SOFTWARE: the child has said on stderr what went wrong

std::exception_ptr no_start(const std::string& why) {
    return std::make_exception_ptr(bootstrap_error{why});
}

} // namespace

child_watch::child_watch(process_child& of, std::shared_ptr<worker_process> process)
    : child_{&of},
      process_{std::move(process)},
      bell_{reactor()},
      end_{reactor()},
      patience_{reactor()} {}

child_watch::~child_watch() { release_descriptors(); }

void child_watch::release_descriptors() noexcept {
    // They belong to the process handle; Asio only watched them.
    if (bell_.is_open()) bell_.release();
    if (end_.is_open()) end_.release();
}

void child_watch::begin() {
    boost::asio::post(reactor(), [self = shared_from_this()] { self->watch(); });
}

void child_watch::watch() {
    try {
        end_.assign(process_->pidfd());
        wait_for_end();
        bell_.assign(process_->doorbell());
        wait_for_bell();
        patience_.expires_after(handshake::hello_timeout);
        patience_.async_wait([self = shared_from_this()](boost::system::error_code ec) {
            if (ec) return;
            self->listen();
            if (!self->heard_)
                self->give_up(no_start(handshake::missing_runtime_text(
                    "process \"" + self->process_->name() + "\" spent " +
                    std::to_string(handshake::hello_timeout.count()) + " seconds")));
        });
        listen();
    } catch (const std::exception&) { // no memory, no room in the epoll set: nobody would learn of
                                      // its end
        if (!error_) error_ = std::current_exception();
        process_->kill();
        on_end();
    }
}

void child_watch::wait_for_end() {
    end_.async_wait(descriptor::wait_read,
                    [self = shared_from_this()](boost::system::error_code ec) {
                        if (ec || !self->process_) return;
                        if (!os::has_ended(self->process_->pidfd())) return self->wait_for_end();
                        self->on_end();
                    });
}

void child_watch::wait_for_bell() {
    bell_.async_wait(descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code ec) {
                         if (ec) return;
                         os::quiet(self->process_->doorbell());
                         self->listen();
                         if (!self->ready_) self->wait_for_bell();
                     });
}

/// Arms the bell for what comes later, unless that was all.
void child_watch::listen() {
    if (!process_) return;
    endpoint& channel = process_->channel();
    try {
        do {
            while (incoming* const message = channel.peek()) {
                hear(*message);
                channel.pop();
            }
        } while (!ready_ && channel.arm());
    } catch (const std::exception& e) {
        give_up(std::make_exception_ptr(
            error{"coproc: process \"" + process_->name() + "\" was stopped: " + e.what()}));
    }
}

void child_watch::hear(incoming& message) {
    switch (message.kind) {
    case message_kind::hello:
        heard_ = true;
        patience_.cancel();
        if (!handshake::is_this_build(message))
            give_up(no_start("coproc: process \"" + process_->name() +
                             "\" is another build of the program: its file was replaced while it "
                             "ran; start it anew"));
        return;
    case message_kind::ready:
        ready_ = true;
        process_->channel().trim(); // the memory of its arguments
        return;
    case message_kind::no_runtime:
        give_up(no_start(handshake::missing_runtime_text(
            "process \"" + process_->name() + "\" was about to start processes of its own")));
        return;
    default:
        throw channel_corrupt{"it sent a message that processes do not send"};
    }
}

void child_watch::give_up(std::exception_ptr why) {
    if (!error_) error_ = std::move(why);
    process_->kill();
}

/// Why it has never run, if that is how it ended.
std::exception_ptr child_watch::verdict(int& exit_code) const {
    if (error_ || heard_ || exit_code < 0) return error_; // a signal speaks for itself
    const std::string who = "process \"" + process_->name() + "\"";
    if (exit_code == exit_software)
        return no_start("coproc: " + who +
                        " could not begin; what went wrong stands on its standard error");
    if (exit_code == 0) exit_code = exit_software; // what has not run has not succeeded
    return no_start(handshake::missing_runtime_text(
        who + " ended with exit code " +
        std::to_string(exit_code == exit_software ? 0 : exit_code)));
}

void child_watch::on_end() {
    if (!process_) return;
    ready_ = true; // no bell is wanted any more
    listen();      // what it said before it died counts
    int exit_code = process_->reap(2s).value_or(worker_process::unknown_exit_code);
    auto error = verdict(exit_code);
    patience_.cancel();
    boost::system::error_code ignored;
    static_cast<void>(bell_.cancel(ignored));
    static_cast<void>(end_.cancel(ignored));
    release_descriptors();
    process_.reset();
    child_->watched(exit_code, std::move(error));
}

} // namespace coproc::detail
