// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Large calls that are read while they are being written.

#include "channel_ends.hpp"
#include "support/catch.hpp"

#include <coproc/codec.hpp>
#include <coproc/error.hpp>
#include <os/memfd.hpp>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>
#include <vector>

using namespace coproc_test;

namespace {

constexpr std::size_t large = 4 * endpoint::flowing;

/// A vector after one byte, so that nothing is aligned, and one more byte.
struct call_to_write {
    std::vector<double> numbers;
    std::size_t size = 1 + 8 + numbers.size() * sizeof(double) + 1;

    writer& begin(endpoint& to, std::uint64_t id) const {
        writer& out = to.begin(message_kind::call, id, 0, size);
        to.let_flow();
        out.raw(std::byte{1});
        return out;
    }
    void end(writer& out) const { out.raw(std::byte{2}); }
};

call_to_write some_numbers(std::size_t bytes = large) {
    std::vector<double> numbers(bytes / sizeof(double));
    for (std::size_t i = 0; i != numbers.size(); ++i)
        numbers[i] = static_cast<double>(i);
    return {std::move(numbers)};
}

/// Reads the call at the worker; whether it is that one.
bool arrives(endpoint& at, const call_to_write& call) {
    reader in = at.peek()->payload();
    return in.raw<std::byte>() == std::byte{1} && decode<std::vector<double>>(in) == call.numbers &&
           in.raw<std::byte>() == std::byte{2} && in.left() == 0;
}

} // namespace

TEST_CASE("flow: a large call can be read before it is complete") {
    both_ends ch;
    const auto call = some_numbers();
    writer& out = call.begin(ch.parent, 7);
    CHECK_FALSE(ch.worker.has_message());
    encode(out, call.numbers);

    incoming* const message = ch.worker.peek();
    REQUIRE(message != nullptr);
    CHECK(message->id == 7);
    reader in = message->payload();
    CHECK(in.left() == call.size);
    CHECK(in.raw<std::byte>() == std::byte{1});
    CHECK(in.raw<std::uint64_t>() == call.numbers.size());
    CHECK(in.some(large, sizeof(double)).size() == large); // the byte behind it is missing
    CHECK(in.left() == 1);

    call.end(out);
    const auto token = ch.parent.commit();
    CHECK(in.raw<std::byte>() == std::byte{2});
    CHECK_FALSE(message->given_up());
    CHECK_FALSE(ch.parent.revoke(token));
    CHECK(arrives(ch.worker, call)); // once more, from its beginning
    ch.worker.pop();
    CHECK(ch.worker.peek() == nullptr);
}

TEST_CASE("flow: what comes last in a call is there only when the call is") {
    both_ends ch;
    const auto bytes = pattern(large, 1);
    writer& out = ch.parent.begin(message_kind::call, 1, 0, bytes.size());
    ch.parent.let_flow();
    out.bytes(bytes.data(), bytes.size());
    REQUIRE(ch.worker.peek() != nullptr);
    reader in = ch.worker.peek()->payload();
    CHECK(in.some(large, 1).size() < large);
    ch.parent.commit();
    CHECK(in.some(in.left(), 1).size() > 0);
    CHECK(in.left() == 0);
    CHECK(same(*ch.worker.peek(), bytes));
    ch.worker.pop();
}

TEST_CASE("flow: a worker that comes too early waits for the rest") {
    const auto spin = GENERATE(std::chrono::nanoseconds{0}, std::chrono::nanoseconds{50'000});
    both_ends ch;
    ch.parent.set_peer_spin(spin);
    const auto call = some_numbers();
    constexpr int rounds = 30;
    std::atomic<int> begun = 0;
    std::atomic<int> right = 0;
    std::thread worker{[&] {
        for (int i = 0; i != rounds; ++i) {
            incoming* const message = ch.worker.wait();
            ++begun;
            if (arrives(ch.worker, call) && !message->given_up()) ++right;
            ch.worker.pop();
        }
    }};
    for (int i = 0; i != rounds; ++i) {
        writer& out = call.begin(ch.parent, static_cast<std::uint64_t>(i));
        encode(out, call.numbers);
        while (begun <= i)
            std::this_thread::yield();
        call.end(out);
        ch.parent.commit();
        ch.parent.flush();
    }
    worker.join();
    CHECK(right == rounds);
}

TEST_CASE("flow: a call that is abandoned before the worker begins it was never there") {
    both_ends ch;
    const auto call = some_numbers();
    for (std::uint64_t i = 0; i != 20; ++i) {
        encode(call.begin(ch.parent, i), call.numbers);
        CHECK(ch.worker.has_message());
        ch.parent.abandon();
    }
    CHECK(allocated_bytes(ch.parent.memory()) < 2 * large); // its memory is used again at once
    CHECK(ch.worker.peek() == nullptr);
    send(ch.parent, message_kind::call, 100, {});
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK(ch.worker.peek()->id == 100);
    CHECK_FALSE(ch.worker.peek()->given_up());
    ch.worker.pop();
}

TEST_CASE("flow: a call that is abandoned while it is read says so") {
    both_ends ch;
    const auto call = some_numbers();
    encode(call.begin(ch.parent, 1), call.numbers);
    incoming* const message = ch.worker.peek();
    REQUIRE(message != nullptr);
    reader in = message->payload();
    CHECK(in.raw<std::byte>() == std::byte{1});
    CHECK(decode<std::vector<double>>(in) == call.numbers);
    ch.parent.abandon();
    CHECK_THROWS_AS(in.raw<std::byte>(), coproc::serialization_error);
    CHECK(message->given_up());
    CHECK_THROWS_AS(message->payload(), coproc::serialization_error);

    // The next ones come while the worker has not got on; its memory is not theirs.
    const auto other = some_numbers(2 * large);
    writer& out = other.begin(ch.parent, 2);
    encode(out, other.numbers);
    CHECK(message->given_up());
    other.end(out);
    ch.parent.commit();
    CHECK(message->given_up());
    ch.worker.pop();
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK(ch.worker.peek()->id == 2);
    CHECK(arrives(ch.worker, other));
    CHECK_FALSE(ch.worker.peek()->given_up());
    ch.worker.pop();
}

TEST_CASE("flow: completed before the worker comes to it, and several under way") {
    both_ends ch;
    const auto call = some_numbers();
    for (std::uint64_t i = 0; i != 5; ++i) {
        writer& out = call.begin(ch.parent, i);
        encode(out, call.numbers);
        call.end(out);
        ch.parent.commit();
    }
    encode(call.begin(ch.parent, 5), call.numbers);
    for (std::uint64_t i = 0; i != 5; ++i) {
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        CHECK(message->id == i);
        CHECK(arrives(ch.worker, call));
        CHECK_FALSE(message->given_up());
        ch.worker.pop();
    }
    ch.parent.abandon();
    CHECK(ch.worker.peek() == nullptr);
}

TEST_CASE("flow: small calls, and those that need not, are complete when they are published") {
    both_ends ch;
    const auto small = some_numbers(endpoint::flowing / 2);
    encode(small.begin(ch.parent, 1), small.numbers);
    CHECK_FALSE(ch.worker.has_message());
    ch.parent.abandon();

    const auto bytes = pattern(large, 1);
    ch.parent.begin(message_kind::call, 2, 0, large).bytes(bytes.data(), large);
    CHECK_FALSE(ch.worker.has_message());
    ch.parent.abandon();
}

TEST_CASE("flow: no descriptor goes with a call that is under way already") {
    both_ends ch;
    const auto file = os::make_memfd("coproc-test", 4096);
    const auto bytes = pattern(large / 2, 1);
    writer& out = ch.parent.begin(message_kind::call, 1, 0, large);
    ch.parent.let_flow();
    out.bytes(bytes.data(), bytes.size());
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK_THROWS_AS(out.descriptor(file.get()), coproc::serialization_error);
    ch.parent.abandon();
    CHECK(ch.worker.peek()->given_up());
    ch.worker.pop();
}
