// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// One worker process without a pool: started, greeted, and asked to run invokers that the tests
// write by hand.

#include <coproc/job.hpp>
#include <os/eventfd.hpp>
#include <os/pidfd.hpp>
#include <src/call_preamble.hpp>
#include <src/handshake.hpp>
#include <src/worker_process.hpp>

#include <chrono>
#include <cstring>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace coproc_test {

using namespace coproc::detail;
using coproc::start_method;

inline constexpr std::chrono::seconds patience{30};

class worker_under_test {
public:
    explicit worker_under_test(start_method method, const coproc::job* initializer = nullptr,
                               std::string name = "test-worker")
        : process{start(method, std::move(name))},
          greeting{process->channel(), initializer, process->name(), process->pid()} {}

    /// Through the handshake; throws its error.
    worker_under_test& greet() {
        while (greeting.now() == handshake::state::starting ||
               greeting.now() == handshake::state::initializing) {
            if (incoming* const message = next()) {
                greeting.on_message(*message);
                process->channel().pop();
            } else {
                greeting.on_exit(process->reap(patience).value_or(-999));
            }
        }
        if (greeting.error()) std::rethrow_exception(greeting.error());
        return *this;
    }

    /// Waits for a message; null when the worker has ended and left none.
    incoming* next() {
        endpoint& channel = process->channel();
        for (;;) {
            const bool ended = os::has_ended(process->pidfd());
            if (incoming* const message = channel.peek()) return message;
            if (ended) return nullptr;
            if (channel.arm()) continue;
            pollfd entries[] = {{process->doorbell(), POLLIN, 0}, {process->pidfd(), POLLIN, 0}};
            if (::poll(entries, 2, 30'000) == 0)
                throw std::runtime_error{"the worker says nothing"};
            os::quiet(process->doorbell());
        }
    }

    message_token send(invoker function, std::uint64_t id = 1,
                       const std::vector<std::byte>& arguments = {}, std::uint32_t flags = 0,
                       std::string label = {}) {
        call_preamble preamble{function, 1, label};
        sizer s;
        preamble.size(s);
        s.bytes(arguments.size());
        return process->channel().send(message_kind::call, id, flags | preamble.flags(), s.size(),
                                       [&](writer& w) {
                                           preamble.encode(w);
                                           w.bytes(arguments.data(), arguments.size());
                                       });
    }

    /// Sends the call and takes its reply as a T.
    template <class T = int>
    T call(invoker function, int argument = 0) {
        std::vector<std::byte> bytes(sizeof argument);
        std::memcpy(bytes.data(), &argument, sizeof argument);
        send(function, 1, bytes);
        return take<T>();
    }
    template <class T>
    T take() {
        incoming* const message = next();
        if (message == nullptr) throw std::runtime_error{"the worker ended"};
        if (message->kind != message_kind::reply) throw std::runtime_error{"the call failed"};
        T result{};
        if constexpr (std::is_same_v<T, std::string>)
            result.assign(reinterpret_cast<const char*>(message->bytes.data()),
                          message->bytes.size());
        else
            result = message->payload().raw<T>();
        process->channel().pop();
        return result;
    }

    std::optional<int> exit_code() { return process->reap(patience); }

    std::unique_ptr<worker_process> process;
    handshake greeting;

private:
    static std::unique_ptr<worker_process> start(start_method method, std::string name) {
        launch_request request;
        request.method = method;
        request.name = std::move(name);
        return launch(request);
    }
};

inline void reply(call_context& call, const std::string& text) {
    call.reply(text.size(), 0).bytes(text.data(), text.size());
}

} // namespace coproc_test
