// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/tagged_output.hpp>

#include <os/pipe.hpp>
#include <os/system_call.hpp>
#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <climits>
#include <unistd.h>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::size_t piece = 64 * 1024; // what a pipe holds

/// In writes that a pipe does not tear apart, whoever else writes to it: whole lines, together not
/// more than it promises to keep together. (A single line that is longer has no such promise.)
void write_lines(int to, std::string_view text) {
    while (!text.empty()) {
        std::size_t end = text.size();
        if (end > PIPE_BUF) {
            end = text.rfind('\n', PIPE_BUF - 1);
            if (end == std::string_view::npos) end = text.find('\n');
            end = end == std::string_view::npos ? text.size() : end + 1;
        }
        if (!os::write_all(to, text.substr(0, end))) return; // nobody wants to read it
        text.remove_prefix(end);
    }
}

} // namespace

tagged_output::stream::stream(const std::string& name, int to_fd)
    : from{output_context()}, to{to_fd}, lines{name} {
    auto pipe = os::make_pipe();
    from.assign(pipe.read.get());
    keep_private(pipe.read.release());
    child_end = std::move(pipe.write);
}

tagged_output::stream::~stream() {
    if (from.is_open()) no_longer_private(from.native_handle());
}

tagged_output::tagged_output(const std::string& name)
    : out_{name, STDOUT_FILENO}, err_{name, STDERR_FILENO} {}

tagged_output::~tagged_output() = default;

void tagged_output::start() {
    for (stream* const s : {&out_, &err_}) {
        s->child_end.reset();
        boost::asio::post(output_context(), [self = shared_from_this(), s] { self->wait(*s); });
    }
}

void tagged_output::wait(stream& s) {
    if (!s.from.is_open()) return;
    s.from.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this(), &s](boost::system::error_code ec) {
                          if (ec) return;
                          if (self->pass_on(s, piece)) self->wait(s);
                      });
}

bool tagged_output::pass_on(stream& s, std::size_t at_most) {
    if (!s.from.is_open()) return false;
    std::array<char, piece> bytes;
    const auto read = os::retry([&]() noexcept {
        return ::read(s.from.native_handle(), bytes.data(), std::min(at_most, bytes.size()));
    });
    if (read < 0 && errno == EAGAIN) return true;
    std::string text;
    if (read > 0) {
        s.lines.feed({bytes.data(), static_cast<std::size_t>(read)}, text);
        write_lines(s.to, text);
        return true;
    }
    s.lines.finish(text);
    write_lines(s.to, text);
    no_longer_private(s.from.native_handle());
    boost::system::error_code ignored;
    static_cast<void>(s.from.close(ignored));
    return false;
}

/// Not until the end, which comes late or never where a process that the worker started lives on;
/// that one is listened to as before.
void tagged_output::pass_on_rest(stream& s) {
    if (!s.from.is_open()) return;
    for (std::size_t left = os::readable_bytes(s.from.native_handle()); left != 0;) {
        const std::size_t now = std::min(left, piece);
        if (!pass_on(s, now)) return;
        left -= now;
    }
    std::string text;
    s.lines.finish(text);
    write_lines(s.to, text);
    pass_on(s, piece); // in most cases the end, which lets go of the descriptor
}

void tagged_output::when_passed_on(std::function<void()> then) {
    boost::asio::post(output_context(),
                      [self = shared_from_this(), then = std::move(then)]() mutable {
                          self->pass_on_rest(self->out_);
                          self->pass_on_rest(self->err_);
                          then();
                      });
}

} // namespace coproc::detail
