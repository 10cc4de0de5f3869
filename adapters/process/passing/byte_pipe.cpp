// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/byte_pipe.hpp>

#include <coproc/error.hpp>
#include <os/socket.hpp>

#include <passing/pipe_object.hpp>
#include <shared/wait_service.hpp>
#include <stdexcept>
#include <utility>

namespace coproc::detail {
namespace {

/// Of the pipe, as seen from its first end.
std::uint64_t pipe_type(pipe_types t, unsigned end) noexcept {
    if (end != 0) std::swap(t.out, t.in);
    return t.out * 3 + t.in;
}

} // namespace

pipe_end& byte_connection::end() const {
    if (end_ == nullptr)
        throw std::logic_error{"coproc: this end of a pipe was closed, or never made"};
    return *end_;
}

std::pair<byte_connection, byte_connection> byte_connection::make(pipe_types of_the_first) {
    const auto pipe = shared::create<pipe_object>(pipe_type(of_the_first, 0));
    auto sockets = os::make_socketpair();
    return {byte_connection{pipe_object::end(pipe, 0, std::move(sockets.first))},
            byte_connection{pipe_object::end(pipe, 1, std::move(sockets.second))}};
}

bool byte_connection::send(const element_source& message, time_limit until) const {
    pipe_end& e = end();
    pipe_object& pipe = e.pipe();
    outgoing_message out{message, outgoing_message::lifetime::of_a_call};
    // Not even the word to wait for is looked at: the receiver writes to its cache line.
    if (pipe.try_send(e, out)) return true;
    return pipe.wait(pipe.room(e), pipe_object::room_count(e), until, [&] {
        if (pipe.try_send(e, out)) return true;
        e.watch();
        return false;
    });
}

bool byte_connection::recv(const element_sink& take, time_limit until) const {
    pipe_end& e = end();
    pipe_object& pipe = e.pipe();
    return pipe.wait(pipe.messages(e), pipe_object::messages_count(e), until, [&] {
        if (pipe.try_recv(e, take)) return true;
        e.watch();
        return false;
    });
}

bool byte_connection::poll(time_limit until) const {
    pipe_end& e = end();
    pipe_object& pipe = e.pipe();
    if (pipe.ready(e)) return true;
    if (until == byte_queue::now()) return false;
    const bool is_ready = pipe.wait(pipe.messages(e), pipe_object::messages_count(e), until, [&] {
        if (pipe.ready(e)) return true;
        e.watch();
        return false;
    });
    // The wake-up was for somebody who takes the message.
    pipe.wake(pipe.messages(e), 1);
    return is_ready;
}

state_ptr<void> byte_connection::start_send(const element_source& message) const {
    pipe_end& e = end();
    pipe_object& pipe = e.pipe();
    auto out = std::make_shared<outgoing_message>(message, outgoing_message::lifetime::longer);
    return shared::start_waiting<void>(e.shared(), pipe.room(e), pipe_object::room_count(e),
                                       [end = end_, out](operation<void>& waiting) {
                                           if (!end->pipe().try_send(*end, *out)) {
                                               end->watch();
                                               return false;
                                           }
                                           waiting.succeed();
                                           return true;
                                       });
}

namespace {

struct recv_attempt {
    std::shared_ptr<pipe_end> end;
    element_sink take;
    std::function<bool()> give_back;

    bool operator()(operation<void>& waiting) const {
        if (!end->pipe().try_recv(*end, take)) {
            end->watch();
            return false;
        }
        waiting.succeed();
        return true;
    }
    bool undo(operation<void>& /*waiting*/) const noexcept { return give_back(); }
};

} // namespace

state_ptr<void> byte_connection::start_recv(element_sink take,
                                            std::function<bool()> give_back) const {
    pipe_end& e = end();
    return shared::start_waiting<void>(e.shared(), e.pipe().messages(e),
                                       pipe_object::messages_count(e),
                                       recv_attempt{end_, std::move(take), std::move(give_back)});
}

bool byte_connection::put_back(const element_source& message) const noexcept {
    // What went over the sockets cannot be put before the others there.
    if (message.descriptors != 0) return false;
    try {
        const outgoing_message out{message, outgoing_message::lifetime::of_a_call};
        return end_->pipe().put_back(*end_, out);
    } catch (const std::exception&) {
        return false;
    }
}

void byte_connection::size(sizer& s, const byte_connection& c) {
    s.bytes(1);
    if (c.end_ == nullptr) return;
    s.descriptor();
    s.descriptor();
}

void byte_connection::encode(writer& w, const byte_connection& c) {
    if (c.end_ == nullptr) {
        w.raw(std::uint8_t{2});
        return;
    }
    c.end_->pipe().hold(*c.end_);
    w.raw(static_cast<std::uint8_t>(c.end_->index()));
    w.descriptor(c.end_->pipe().descriptor());
    w.descriptor(c.end_->socket());
}

byte_connection byte_connection::decode(reader& r, pipe_types expected) {
    const unsigned index = r.raw<std::uint8_t>();
    if (index == 2) return {};
    os::unique_fd memory{r.descriptor()};
    os::unique_fd socket{r.descriptor()};
    if (index > 2) throw serialization_error{"coproc: an end of a pipe arrived damaged"};
    const std::uint64_t type = pipe_type(expected, index);
    const auto pipe = shared::adopt<pipe_object>(std::move(memory), type);
    pipe->require_type(type);
    return byte_connection{pipe_object::end(pipe, index, std::move(socket))};
}

} // namespace coproc::detail
