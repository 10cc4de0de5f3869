// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <src/worker_loop.hpp>

#include <coproc/detail/backtrace.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/function_id.hpp>
#include <coproc/detail/invoker.hpp>
#include <coproc/detail/spare_storage.hpp>
#include <coproc/this_task.hpp>
#include <os/clock.hpp>
#include <os/limits.hpp>
#include <src/call_preamble.hpp>

#include <algorithm>
#include <child/run_message.hpp>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <unistd.h>
#include <vector>

namespace coproc::detail {
namespace {

void send_exception(endpoint& channel, message_kind kind, std::uint64_t id,
                    const std::exception_ptr& error, reply_facts facts = {}) {
    const std::vector<std::byte> bytes = encode_exception(error);
    writer& out = channel.begin(kind, id, 0, bytes.size());
    out.bytes(bytes.data(), bytes.size());
    channel.commit(facts);
}

/// One call while it runs.
class served_call final : public call_context, public running_task {
public:
    served_call(endpoint& channel, std::uint64_t id, bool timed, reader& in) noexcept
        : call_context{in}, channel_{channel}, id_{id}, timed_{timed} {
        if (!timed) publish_items_in(channel.control().running_item);
    }
    ~served_call() { drop_reply(); }

    void begin_item(std::uint32_t index) noexcept override {
        channel_.begin_item(index, timed_ ? os::monotonic_ns() : 0);
    }

    writer& reply(std::size_t size, std::size_t) override {
        require_own();
        drop_reply();
        send_last_progress();
        writer& out = channel_.begin(message_kind::reply, id_, 0, size);
        open_ = true;
        large_ = size > endpoint::inline_limit;
        return out;
    }
    /// Its reply has memory of its own.
    [[nodiscard]] bool large() const noexcept { return large_; }

    void report_progress(std::uint64_t done, std::uint64_t total) override {
        if (open_ || !own()) return; // the reply is being written: it says more
        latest_ = {done, total};
        unsent_ = true;
        if (channel_.consumed(sent_)) send_last_progress();
    }

    void send_reply(reply_facts facts) {
        require_own();
        if (!open_) throw std::logic_error{"coproc: a task gave no reply"};
        open_ = false;
        channel_.commit(facts);
    }

    void fail(const std::exception_ptr& error, reply_facts facts) {
        require_own();
        drop_reply();
        send_last_progress();
        send_exception(channel_, message_kind::failed, id_, error, facts);
    }

private:
    [[nodiscard]] bool own() const noexcept { return generation_ == count_forks(); }
    /// The child of a fork() within the task has come back from the task: the answer is its
    /// parent's to give. (What it has written into the channel so far is for itself.)
    void require_own() const noexcept {
        if (own()) return;
        std::fputs("coproc: a task has returned in the child of a fork() as well; the child ends "
                   "here (end it with _exit)\n",
                   stderr);
        ::_exit(70);
    }

    void drop_reply() noexcept {
        if (open_) channel_.abandon();
        open_ = false;
    }
    void send_last_progress() {
        if (!unsent_) return;
        unsent_ = false;
        sent_ = channel_.send(message_kind::progress, id_, 0, sizeof latest_,
                              [&](writer& w) { w.raw(latest_); });
    }

    endpoint& channel_;
    std::uint64_t id_;
    unsigned generation_ = count_forks();
    bool timed_; // each item's beginning is wanted
    bool open_ = false;
    bool large_ = false;
    progress_report latest_{};
    bool unsent_ = false;
    message_token sent_{};
};

/// The initializer's call: nobody waits for its result.
class silent_call final : public call_context {
public:
    using call_context::call_context;
    void begin_item(std::uint32_t) noexcept override {}
    writer& reply(std::size_t size, std::size_t) override {
        bytes_.resize(size);
        out_ = writer{bytes_, &descriptors_};
        return out_;
    }

private:
    std::vector<std::byte> bytes_;
    std::vector<int> descriptors_;
    writer out_{std::span<std::byte>{}};
};

} // namespace

[[gnu::hot]] int worker_loop::run() {
    say_hello();
    incoming& first = *channel_.wait();
    if (first.kind == message_kind::run) return run_process(channel_, first);
    if (!set_up(first)) return 0;
    const spare_storage::permission until_it_is_quiet; // see endpoint::wait
    for (;;) {
        incoming& message = *channel_.wait();
        switch (message.kind) {
        case message_kind::call:
            serve(message);
            break;
        case message_kind::learn: {
            reader in = message.payload();
            exception_registry::learn(in);
            break;
        }
        case message_kind::bell:
            channel_.learn_bell(message);
            break;
        case message_kind::retire:
            return 0;
        default:
            throw std::logic_error{"the parent sent a message that only its workers send"};
        }
        channel_.pop();
    }
}

void worker_loop::say_hello() {
    const std::string& build = program_build_id();
    const std::size_t size =
        sizeof protocol_version + sizeof(std::int32_t) + sizeof(std::uint64_t) + build.size();
    channel_.send(message_kind::hello, 0, 0, size, [&](writer& w) {
        w.raw(protocol_version);
        w.raw(static_cast<std::int32_t>(::getpid()));
        w.raw(static_cast<std::uint64_t>(build.size()));
        w.bytes(build.data(), build.size());
    });
}

bool worker_loop::set_up(incoming& message) {
    if (message.kind != message_kind::setup) return false; // retired before it began
    try {
        reader in = message.payload();
        const std::size_t catchers = in.count(1);
        reader known{{in.bytes(catchers), catchers}};
        exception_registry::learn(known);
        const std::size_t words = in.count(1);
        reader introduced{{in.bytes(words), words}};
        accept_introduction(introduced);
        if (in.raw<std::uint8_t>() != 0) {
            const auto function = reinterpret_cast<invoker>(decode_function(in));
            silent_call call{in};
            if (function != nullptr) function(call);
        }
    } catch (...) {
        send_exception(channel_, message_kind::init_failed, 0, std::current_exception());
        channel_.flush();
        return false;
    }
    channel_.pop();
    channel_.send(message_kind::ready);
    return true;
}

[[gnu::hot]] void worker_loop::serve(incoming& message) {
    const std::uint64_t started = os::monotonic_ns();
    const std::uint32_t flags = message.flags;
    const bool timed = (flags & call_flag::timed) != 0;
    channel_.begin_running(message.id, timed ? started : 0);
    reader in{{}};
    served_call call{channel_, message.id, timed, in};
    const auto facts = [&] {
        if ((flags & call_flag::want_rss) != 0) spare_storage::drop();
        return reply_facts{os::monotonic_ns() - std::max(started, message.whole_since_ns()),
                           (flags & call_flag::want_rss) != 0 ? os::resident_bytes() : 0};
    };
    try {
        in = message.payload();
        const call_preamble preamble = call_preamble::decode(in, flags);
        call.label = preamble.label;
        call.attempt = preamble.attempt;
        const running_task::scope scope{call};
        trace_throws(true);
        preamble.function(call);
        if (!message.given_up()) call.send_reply(facts());
    } catch (...) {
        // What the parent has given up in the middle needs no answer.
        if (!message.given_up()) call.fail(std::current_exception(), facts());
    }
    channel_.end_running();
    channel_.flush_reply();
    tidy_up(started, call.large());
}

/// What large values have left behind is kept for the next ones, but not for ever while others
/// come. (When none come, endpoint::wait sees to it.)
[[gnu::hot]] void worker_loop::tidy_up(std::uint64_t now_ns, bool large_reply) noexcept {
    constexpr std::uint64_t quiet_ns = 1'000'000'000;
    spare_storage::drop_old(os::to_steady(now_ns));
    if (large_reply)
        last_large_ns_ = now_ns;
    else if (channel_.holds_much() && now_ns - last_large_ns_ > quiet_ns)
        channel_.trim();
}

} // namespace coproc::detail
