// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Both ends of a channel in one process: no worker, no pool.

#include "channel_ends.hpp"
#include "support/pools.hpp"

#include <coproc/shared_array.hpp>
#include <os/eventfd.hpp>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <numeric>
#include <poll.h>
#include <random>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <vector>

using namespace coproc::detail;
using namespace coproc_test;

namespace {

message_token send_patiently(endpoint& to, message_kind kind, std::uint64_t id) {
    for (;;) {
        try {
            return to.send(kind, id);
        } catch (const channel_full&) {
            std::this_thread::yield();
        }
    }
}

/// Until there is no room; how many went in.
std::uint64_t fill(endpoint& to) {
    std::uint64_t sent = 0;
    try {
        for (;; ++sent)
            to.send(message_kind::call, sent);
    } catch (const channel_full&) {} // NOLINT(bugprone-empty-catch)
    return sent;
}

bool rung(int bell) {
    pollfd entry{bell, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        ++count;
    return count;
}

} // namespace

TEST_CASE("channel: messages arrive in order with their header") {
    both_ends ch;
    const auto bytes = pattern(100, 1);
    ch.parent.send(message_kind::call, 7, 3, bytes.size(),
                   [&](writer& w) { w.bytes(bytes.data(), bytes.size()); });
    ch.parent.send(message_kind::retire);

    incoming* message = ch.worker.peek();
    REQUIRE(message != nullptr);
    CHECK(message->kind == message_kind::call);
    CHECK(message->id == 7);
    CHECK(message->flags == 3);
    CHECK(same(*message, bytes));
    CHECK(ch.worker.peek() == message);
    ch.worker.pop();
    message = ch.worker.peek();
    REQUIRE(message != nullptr);
    CHECK(message->kind == message_kind::retire);
    CHECK(message->bytes.empty());
    ch.worker.pop();
    CHECK(ch.worker.peek() == nullptr);

    writer& out = ch.worker.begin(message_kind::reply, 7, 0, 4);
    out.raw(std::uint32_t{42});
    ch.worker.commit({1234, 8192});
    CHECK(ch.parent.has_message());
    message = ch.parent.peek();
    REQUIRE(message != nullptr);
    CHECK(message->duration_ns == 1234);
    CHECK(message->resident_bytes == 8192);
    CHECK(message->payload().raw<std::uint32_t>() == 42);
    ch.parent.pop();
}

TEST_CASE("channel: an abandoned message was never there") {
    both_ends ch;
    for (const std::size_t size : {std::size_t{100}, std::size_t{1} << 20}) {
        ch.parent.begin(message_kind::call, 1, 0, size);
        ch.parent.abandon();
        CHECK_THROWS_AS(ch.parent.send(message_kind::call, 2, 0, size,
                                       [](writer&) { throw std::runtime_error{"encoding"}; }),
                        std::runtime_error);
        CHECK_FALSE(ch.worker.has_message());
        send(ch.parent, message_kind::call, 3, pattern(size, 3));
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        CHECK(message->id == 3);
        CHECK(same(*message, pattern(size, 3)));
        ch.worker.pop();
    }
}

TEST_CASE("channel: sizes of every kind go round the ring") {
    both_ends ch;
    std::mt19937 random{5};
    std::uint64_t sent = 0;
    std::uint64_t got = 0;
    std::vector<std::size_t> sizes;
    while (got != 4000) {
        if (sent != 4000 && sent - got < endpoint::guaranteed_messages && random() % 2 == 0) {
            const std::size_t size = random() % 20 == 0  ? random() % 200'000
                                     : random() % 2 == 0 ? random() % 200
                                                         : random() % 40'000;
            sizes.push_back(size);
            send(ch.parent, message_kind::call, sent, pattern(size, static_cast<unsigned>(sent)));
            ++sent;
        } else if (incoming* message = ch.worker.peek()) {
            REQUIRE(message->id == got);
            REQUIRE(same(*message, pattern(sizes[got], static_cast<unsigned>(got))));
            ch.worker.pop();
            ++got;
        }
    }
    CHECK_FALSE(ch.worker.has_message());
}

TEST_CASE("channel: small messages that are soon consumed use little of the ring") {
    both_ends ch;
    const std::size_t before = allocated_bytes(ch.parent.memory());
    const std::size_t under_way = GENERATE(1U, 48U);
    const std::size_t largest = GENERATE(std::size_t{0}, std::size_t{4}, std::size_t{130});
    const bool all_sizes = largest != 0 && GENERATE(false, true);
    const auto size_of = [&](std::uint64_t n) { return all_sizes ? n % largest : largest; };
    const auto payload = [&](std::uint64_t n) {
        return pattern(size_of(n), static_cast<unsigned>(n));
    };
    std::uint64_t got = 0;
    for (std::uint64_t sent = 0; sent != 10'000; ++sent) {
        send(ch.parent, message_kind::call, sent, payload(sent));
        if (sent + 1 < under_way) continue;
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        REQUIRE(message->id == got);
        REQUIRE(same(*message, payload(got)));
        ch.worker.pop();
        ++got;
    }
    // A page more than that, and as much again as is under way.
    CHECK(allocated_bytes(ch.parent.memory()) - before <= ring_begun_anew + 16 * 1024);

    // The rest is there for those that need it.
    while (ch.worker.peek() != nullptr)
        ch.worker.pop();
    const std::size_t size = endpoint::inline_limit / 2;
    for (std::uint64_t i = 0; i != 10; ++i)
        send(ch.parent, message_kind::call, i, pattern(size, static_cast<unsigned>(i)));
    for (std::uint64_t i = 0; i != 10; ++i) {
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        REQUIRE(same(*message, pattern(size, static_cast<unsigned>(i))));
        ch.worker.pop();
    }
}

TEST_CASE("channel: the guaranteed number of messages always fits") {
    const std::size_t size =
        GENERATE(std::size_t{0}, std::size_t{1000}, endpoint::inline_limit, std::size_t{50'000});
    both_ends ch;
    for (int round = 0; round != 5; ++round) {
        for (std::uint64_t i = 0; i != endpoint::guaranteed_messages; ++i)
            send(ch.parent, message_kind::call, i, pattern(size, static_cast<unsigned>(i)));
        for (std::uint64_t i = 0; i != endpoint::guaranteed_messages; ++i) {
            incoming* const message = ch.worker.peek();
            REQUIRE(message != nullptr);
            REQUIRE(message->id == i);
            REQUIRE(same(*message, pattern(size, static_cast<unsigned>(i))));
            ch.worker.pop();
        }
    }
}

TEST_CASE("channel: a full ring is refused in the parent, and works again") {
    both_ends ch;
    const std::uint64_t sent = fill(ch.parent);
    CHECK(sent >= endpoint::guaranteed_messages);
    CHECK(sent == ring_bytes / sizeof(entry_header));
    REQUIRE(ch.worker.peek() != nullptr);
    ch.worker.pop();
    CHECK_NOTHROW(ch.parent.send(message_kind::call, sent));
    CHECK_THROWS_AS(ch.parent.send(message_kind::call, sent), channel_full);
}

TEST_CASE("channel: a parent that found the ring full is rung for when there is room") {
    both_ends ch;
    fill(ch.parent);
    CHECK_FALSE(ch.parent.want_room());
    CHECK_FALSE(rung(ch.parent.bell()));
    std::thread worker{[&] {
        while (ch.worker.wait()->kind != message_kind::retire)
            ch.worker.pop();
    }};
    pollfd entry{ch.parent.bell(), POLLIN, 0};
    CHECK(::poll(&entry, 1, 60'000) == 1); // when it has nothing more to do
    CHECK(ch.parent.want_room());
    CHECK_NOTHROW(ch.parent.send(message_kind::retire));
    worker.join();
}

TEST_CASE("channel: a worker with a full ring waits for the parent") {
    both_ends ch;
    constexpr std::uint64_t count = 20'000;
    std::thread worker{[&] {
        for (std::uint64_t i = 0; i != count; ++i)
            ch.worker.send(message_kind::progress, i);
    }};
    for (std::uint64_t i = 0; i != count;) {
        incoming* const message = ch.parent.peek();
        if (message == nullptr) continue;
        REQUIRE(message->id == i);
        ch.parent.pop();
        ++i;
    }
    worker.join();
}

TEST_CASE("channel: ping-pong between two threads, asleep and awake") {
    const auto spin = GENERATE(std::chrono::nanoseconds{0}, std::chrono::nanoseconds{50'000});
    both_ends ch;
    ch.parent.set_peer_spin(spin);
    std::thread worker{[&] {
        for (;;) {
            incoming* const message = ch.worker.wait();
            if (message->kind == message_kind::retire) break;
            const std::vector<std::byte> bytes(message->bytes.begin(), message->bytes.end());
            send(ch.worker, message_kind::reply, message->id, bytes);
            ch.worker.pop();
        }
    }};
    std::uint64_t bells = 0;
    for (std::uint64_t i = 0; i != 3000; ++i) {
        const auto bytes = pattern(i % 3000, static_cast<unsigned>(i));
        send(ch.parent, message_kind::call, i, bytes);
        while (ch.parent.peek() == nullptr) {
            if (i % 2 != 0 || ch.parent.arm()) continue; // odd ones spin
            pollfd entry{ch.parent.bell(), POLLIN, 0};
            REQUIRE(::poll(&entry, 1, 20'000) == 1);
            CHECK(os::quiet(ch.parent.bell()));
            ++bells;
        }
        REQUIRE(ch.parent.peek()->id == i);
        REQUIRE(same(*ch.parent.peek(), bytes));
        ch.parent.pop();
    }
    ch.parent.send(message_kind::retire);
    worker.join();
    CHECK(bells > 0);
}

TEST_CASE(
    "channel: a worker that sleeps or was woken, but waits for the CPU of its parent, is seen") {
    const auto cpus = usable_cpus();
    REQUIRE_FALSE(cpus.empty());
    const auto bind_to = [](const cpu& where) {
        cpu_set set;
        set.add(where.number);
        return bind_this_thread(set);
    };
    both_ends ch;
    CHECK_FALSE(ch.parent.worker_waits_for_this_cpu()); // it has not slept
    for (std::uint64_t i = 0; i != 3; ++i) {
        std::thread worker{[&] {
            bind_to(cpus.front());
            ch.worker.wait();
        }};
        while (ch.parent.control().worker_sleeps.load() == 0)
            std::this_thread::yield();
        bool seen_here = false;
        bool seen_elsewhere = false;
        std::thread parent{[&] {
            if (cpus.size() > 1) {
                bind_to(cpus.back());
                seen_elsewhere = ch.parent.worker_waits_for_this_cpu();
            }
            bind_to(cpus.front());
            seen_here = ch.parent.worker_waits_for_this_cpu();
            ch.parent.send(message_kind::call, i);
            // Woken, and not yet there for as long as nobody makes way for it.
            while (ch.parent.worker_waits_for_this_cpu())
                std::this_thread::yield();
        }};
        parent.join();
        worker.join();
        CHECK(seen_here);
        CHECK_FALSE(seen_elsewhere);
        REQUIRE(ch.worker.peek() != nullptr);
        ch.worker.pop();
        CHECK_FALSE(ch.parent.worker_waits_for_this_cpu());
    }
}

TEST_CASE("channel: a reply that is left to an event loop is told to others if it does not come") {
    both_ends ch;
    const os::unique_fd loop = os::make_eventfd();
    ch.parent.introduce_bell(0, loop.get());
    incoming* message = ch.worker.peek();
    REQUIRE(message != nullptr);
    CHECK(message->kind == message_kind::bell);
    ch.worker.learn_bell(*message);
    ch.worker.pop();
    const auto reply = [&](std::uint64_t id) {
        writer& w = ch.worker.begin(message_kind::reply, id, 0, 0);
        static_cast<void>(w);
        ch.worker.commit();
        ch.worker.flush_reply();
    };
    const auto take = [&] {
        REQUIRE(ch.parent.peek() != nullptr);
        ch.parent.pop();
    };
    const auto worker_sleeps_until_called = [&] {
        std::thread worker{[&] {
            ch.worker.wait();
            ch.worker.pop();
        }};
        while (ch.parent.control().worker_sleeps.load() == 0)
            std::this_thread::yield();
        return worker;
    };
    const auto call = [&](std::thread worker) {
        ch.parent.send(message_kind::call, 7);
        worker.join();
    };

    // The loop looks by itself: no bell.
    ch.parent.leave_to_loop();
    reply(1);
    CHECK_FALSE(rung(ch.parent.bell()));
    CHECK_FALSE(rung(loop.get()));
    take();
    call(worker_sleeps_until_called());
    CHECK_FALSE(rung(ch.parent.bell()));

    // It sleeps: its bell. It does not come: the reactor's before the worker sleeps, once.
    CHECK_FALSE(ch.parent.arm_loop(0));
    CHECK(ch.parent.left_to_loop());
    reply(2);
    CHECK(os::quiet(loop.get()));
    CHECK_FALSE(rung(ch.parent.bell()));
    CHECK(ch.parent.left_to_loop());
    auto asleep = worker_sleeps_until_called();
    CHECK(os::quiet(ch.parent.bell()));
    CHECK_FALSE(ch.parent.left_to_loop());
    call(std::move(asleep));
    CHECK_FALSE(rung(ch.parent.bell()));
    take();

    // Or before the worker begins with its next call.
    ch.parent.leave_to_loop();
    reply(3);
    ch.parent.send(message_kind::call, 4);
    REQUIRE(ch.worker.wait() != nullptr);
    CHECK(os::quiet(ch.parent.bell()));
    ch.worker.pop();
    take();

    // What is no reply is for the reactor; so is all of a loop that the worker does not know.
    CHECK_FALSE(ch.parent.arm_loop(0));
    ch.worker.send(message_kind::progress, 5);
    CHECK(os::quiet(ch.parent.bell()));
    take();
    CHECK_FALSE(ch.parent.arm_loop(3));
    reply(6);
    CHECK(os::quiet(ch.parent.bell()));
    CHECK(ch.parent.arm_loop(0)); // there is something already
    take();
    CHECK_FALSE(rung(loop.get()));
}

TEST_CASE("channel: the bell rings once, and only when it is armed") {
    both_ends ch;
    ch.worker.send(message_kind::reply, 1);
    CHECK_FALSE(rung(ch.parent.bell()));
    CHECK(ch.parent.arm()); // there is something already
    REQUIRE(ch.parent.peek() != nullptr);
    ch.parent.pop();
    ch.worker.send(message_kind::reply, 2);
    CHECK_FALSE(rung(ch.parent.bell()));
    REQUIRE(ch.parent.peek() != nullptr);
    ch.parent.pop();

    CHECK_FALSE(ch.parent.arm());
    ch.worker.send(message_kind::reply, 3);
    CHECK(rung(ch.parent.bell()));
    CHECK(os::quiet(ch.parent.bell()));
    ch.worker.send(message_kind::reply, 4);
    CHECK_FALSE(rung(ch.parent.bell()));

    REQUIRE(ch.parent.peek() != nullptr);
    ch.parent.pop();
    REQUIRE(ch.parent.peek() != nullptr);
    ch.parent.pop();
    CHECK_FALSE(ch.parent.arm());
    ch.parent.disarm();
    ch.worker.send(message_kind::reply, 5);
    CHECK_FALSE(rung(ch.parent.bell()));
}

TEST_CASE("channel: a message that has not begun can be revoked") {
    both_ends ch;
    const auto first = send(ch.parent, message_kind::call, 1, {});
    const auto second = send(ch.parent, message_kind::call, 2, pattern(100'000, 2));
    const auto third = send(ch.parent, message_kind::call, 3, {});
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK_FALSE(ch.parent.revoke(first));
    CHECK(ch.parent.revoke(second));
    CHECK_FALSE(ch.parent.revoke(second));
    ch.worker.pop();
    incoming* const message = ch.worker.peek();
    REQUIRE(message != nullptr);
    CHECK(message->id == 3);
    CHECK_FALSE(ch.parent.revoke(third));
    ch.worker.pop();
    CHECK_FALSE(ch.parent.revoke(third));
    CHECK_FALSE(ch.parent.revoke(message_token{}));
}

TEST_CASE("channel: the memory of a large payload that is revoked is used again at once") {
    both_ends ch;
    constexpr std::size_t size = 1 << 20;
    const auto first = send(ch.parent, message_kind::call, 0, pattern(size, 1));
    const auto innocent = pattern(size, 2);
    send(ch.parent, message_kind::call, 1, innocent);
    CHECK(ch.parent.revoke(first));
    for (std::uint64_t i = 2; i != 100; ++i)
        CHECK(ch.parent.revoke(send(ch.parent, message_kind::call, i, pattern(size, 3))));
    CHECK(allocated_bytes(ch.parent.memory()) < 4 * size);
    const auto last = pattern(size, 4);
    send(ch.parent, message_kind::call, 100, last);
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK(ch.worker.peek()->id == 1);
    CHECK(same(*ch.worker.peek(), innocent));
    ch.worker.pop();
    REQUIRE(ch.worker.peek() != nullptr);
    CHECK(ch.worker.peek()->id == 100);
    CHECK(same(*ch.worker.peek(), last));
    ch.worker.pop();
    CHECK(ch.worker.peek() == nullptr);
}

TEST_CASE("channel: revoked or run, never both and never neither") {
    both_ends ch;
    ch.parent.set_peer_spin(std::chrono::microseconds{50});
    constexpr std::uint64_t count = 30'000;
    std::vector<std::atomic<int>> runs(count);
    std::thread worker{[&] {
        for (;;) {
            incoming* const message = ch.worker.wait();
            if (message->kind == message_kind::retire) break;
            runs[message->id].fetch_add(1);
            ch.worker.pop();
        }
    }};
    std::vector<int> revoked(count);
    std::mt19937 random{17};
    for (std::uint64_t i = 0; i < count;) {
        message_token tokens[4];
        for (auto& token : tokens)
            token = send_patiently(ch.parent, message_kind::call, i++);
        for (std::uint64_t k = 4; k-- != 0;)
            if (random() % 2 == 0 && ch.parent.revoke(tokens[k])) revoked[i - 4 + k] = 1;
    }
    send_patiently(ch.parent, message_kind::retire, 0);
    worker.join();
    int taken_back = 0;
    for (std::uint64_t i = 0; i != count; ++i) {
        REQUIRE(runs[i].load() + revoked[i] == 1);
        taken_back += revoked[i];
    }
    CHECK(taken_back > 0);
}

TEST_CASE("channel: large payloads use their memory again, and give it back") {
    both_ends ch;
    constexpr std::size_t size = 24u << 20;
    const auto bytes = pattern(size, 9);
    for (int i = 0; i != 10; ++i) {
        send(ch.parent, message_kind::call, 0, bytes);
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        REQUIRE(same(*message, bytes));
        send(ch.worker, message_kind::reply, 0, bytes);
        ch.worker.pop();
        REQUIRE(ch.parent.peek() != nullptr);
        REQUIRE(same(*ch.parent.peek(), bytes));
        ch.parent.pop();
    }
    CHECK(allocated_bytes(ch.parent.memory()) < 2 * size + (2u << 20));
    ch.parent.trim();
    ch.worker.trim();
    CHECK(allocated_bytes(ch.parent.memory()) <= 2 * arena::cache_bytes + (1u << 20));
    send(ch.parent, message_kind::call, 1, bytes);
    REQUIRE(ch.worker.peek() != nullptr);
    ch.parent.trim(); // nothing that is under way
    CHECK(same(*ch.worker.peek(), bytes));
    ch.worker.pop();
}

TEST_CASE("channel: large payloads of many sizes, several under way") {
    both_ends ch;
    std::mt19937 random{23};
    std::deque<std::pair<std::uint64_t, std::size_t>> under_way;
    for (std::uint64_t i = 0; i != 600; ++i) {
        const std::size_t size = 40'000 + random() % 600'000;
        send(ch.parent, message_kind::call, i, pattern(size, static_cast<unsigned>(i)));
        under_way.emplace_back(i, size);
        while (under_way.size() > random() % 12) {
            incoming* const message = ch.worker.peek();
            REQUIRE(message != nullptr);
            REQUIRE(message->id == under_way.front().first);
            REQUIRE(same(*message,
                         pattern(under_way.front().second, static_cast<unsigned>(message->id))));
            under_way.pop_front();
            ch.worker.pop();
            if (random() % 10 == 0) ch.parent.trim();
        }
    }
    CHECK(allocated_bytes(ch.parent.memory()) < (16u << 20));
}

TEST_CASE("channel: descriptors travel with their message") {
    const std::size_t before = open_descriptors();
    {
        both_ends ch;
        const auto send_files = [&](std::uint64_t id, int count) {
            return ch.parent.send(message_kind::call, id, 0, 8, [&](writer& w) {
                w.raw(id);
                for (int i = 0; i != count; ++i)
                    w.descriptor(ch.numbers.memory >= 0 ? STDIN_FILENO : 0);
            });
        };
        send_files(1, 2);
        const auto skipped = send_files(2, 3);
        send_files(3, 300); // more than one message of the socket
        send_files(4, 1);
        CHECK(ch.parent.revoke(skipped));

        incoming* message = ch.worker.peek();
        REQUIRE(message != nullptr);
        {
            reader in = message->payload();
            os::unique_fd one{in.descriptor()};
            CHECK(::fcntl(one.get(), F_GETFD) == FD_CLOEXEC);
            // the second one is not taken
        }
        ch.worker.pop();
        message = ch.worker.peek();
        REQUIRE(message != nullptr);
        CHECK(message->id == 3);
        reader in = message->payload();
        std::vector<os::unique_fd> files;
        for (int i = 0; i != 300; ++i)
            files.emplace_back(in.descriptor());
        CHECK_THROWS_AS(in.descriptor(), coproc::serialization_error);
        ch.worker.pop();
        message = ch.worker.peek();
        REQUIRE(message != nullptr);
        files.emplace_back(message->payload().descriptor());
        ch.worker.pop();
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("channel: what runs is published") {
    both_ends ch;
    CHECK_FALSE(ch.parent.running());
    ch.worker.begin_running(0, 99);
    ch.worker.begin_item(5);
    const auto call = ch.parent.running();
    REQUIRE(call);
    CHECK(call->id == 0);
    CHECK(call->item == 5);
    CHECK(call->started_ns == 99);
    ch.worker.end_running();
    CHECK_FALSE(ch.parent.running());
}

TEST_CASE("channel: the parent believes nothing in a corrupt channel") {
    std::mt19937 random{GENERATE(range(1u, 9u))};
    for (int round = 0; round != 400; ++round) {
        both_ends ch;
        os::mapping memory{ch.worker.memory(), 0, mapped_bytes};
        const int messages = static_cast<int>(random() % 6);
        for (int i = 0; i != messages; ++i)
            send(ch.worker, message_kind::reply, static_cast<std::uint64_t>(i),
                 pattern(random() % 50'000, 1));
        std::byte* const up = memory.data() + control_bytes + ring_bytes;
        auto& control = *reinterpret_cast<channel_control*>(memory.data());
        for (int i = 0; i != 4; ++i) {
            switch (random() % 6) {
            case 0:
                control.up.tail.store(std::uint64_t{random()} << (random() % 33));
                break;
            case 1:
                control.up.tail.store(control.up.tail.load() + random() % 1024);
                break;
            case 2:
                control.down.head.store(std::uint64_t{random()} << (random() % 33));
                break;
            default:
                up[random() % (ring_bytes / (1u << random() % 12))] =
                    static_cast<std::byte>(random());
                break;
            }
        }
        try {
            for (int i = 0; i != 1000; ++i) {
                incoming* const message = ch.parent.peek();
                if (message == nullptr) break;
                unsigned sum = 0;
                for (const std::byte b :
                     message->bytes.first(std::min<std::size_t>(message->bytes.size(), 1u << 20)))
                    sum += static_cast<unsigned>(b);
                static_cast<void>(sum);
                ch.parent.pop();
            }
            for (int i = 0; i != 10; ++i)
                send(ch.parent, message_kind::call, 1, pattern(random() % 100'000, 2));
        } catch (const channel_corrupt&) {
        } catch (const channel_full&) {}
        static_cast<void>(ch.parent.running());
        static_cast<void>(ch.parent.crash());
    }
}

TEST_CASE("channel: the memory is sealed, so that a worker cannot pull it away") {
    both_ends ch;
    CHECK(::ftruncate(ch.worker.memory(), 0) == -1);
    CHECK(::ftruncate(ch.worker.memory(), static_cast<off_t>(channel_file_bytes) * 2) == -1);
}

TEST_CASE("channel: a payload of more than 4 GiB", "[.large]") {
    both_ends ch;
    constexpr std::size_t size = (std::size_t{4} << 30) + 12345;
    writer& out = ch.parent.begin(message_kind::call, 1, 0, size);
    const std::vector<std::byte> piece = pattern(1u << 20, 1);
    while (out.room() != 0)
        out.bytes(piece.data(), std::min(out.room(), piece.size()));
    ch.parent.commit();
    incoming* const message = ch.worker.peek();
    REQUIRE(message != nullptr);
    REQUIRE(message->bytes.size() == size);
    CHECK(message->bytes.back() == piece[(size - 1) % piece.size()]);
    ch.worker.pop();
    ch.parent.trim();
    CHECK(allocated_bytes(ch.parent.memory()) < (8u << 20));
}

// --- kept objects ---------------------------------------------------------------------------------

TEST_CASE("kept: an object is promised to a call or let go of, never both") {
    kept_word word;
    CHECK_FALSE(word.promise(5));
    word.keep(5);
    CHECK_FALSE(word.promise(6));
    CHECK_FALSE(word.promise(0));
    CHECK(word.promise(5));
    CHECK(word.promise(5));
    CHECK_FALSE(word.withdraw());
    word.redeem();
    CHECK_FALSE(word.withdraw());
    word.redeem();
    CHECK(word.withdraw());
    CHECK_FALSE(word.promise(5));
    CHECK(word.withdraw());
    CHECK_FALSE(kept_word::fits(0));
    CHECK_FALSE(kept_word::fits(std::uint64_t{1} << 48));

    for (int round = 0; round != 2000; ++round) {
        kept_word contested;
        contested.keep(7);
        std::atomic<int> ready{0};
        bool promised = false;
        bool withdrawn = false;
        const auto together = [&] {
            for (++ready; ready != 2;) {}
        };
        {
            const std::jthread parent{[&] {
                together();
                promised = contested.promise(7);
            }};
            together();
            withdrawn = contested.withdraw();
        }
        REQUIRE(promised != withdrawn);
    }
}

TEST_CASE("kept: an array that comes again comes without a descriptor") {
    both_ends ch;
    using array = coproc::shared_array<int>;
    const array first{3, 1};
    const array second{3, 2};
    std::uint64_t id = 0;
    const auto send = [&](auto&&... arrays) {
        sizer s;
        (coproc::codec<array>::size(s, arrays), ...);
        return ch.parent.send(message_kind::call, ++id, 0, s.size(),
                              [&](writer& w) { (coproc::codec<array>::encode(w, arrays), ...); });
    };
    const auto first_element = [&] {
        incoming* const message = ch.worker.peek();
        REQUIRE(message != nullptr);
        reader in = message->payload();
        const int element = coproc::codec<array>::decode(in)[0];
        ch.worker.pop();
        return element;
    };
    // What is sent for another one waits in the socket until it is taken.
    const auto travels = [&] {
        pollfd entry{ch.worker.socket(), POLLIN, 0};
        return ::poll(&entry, 1, 0) == 1;
    };
    const std::size_t before = open_descriptors();

    send(first);
    CHECK(travels());
    CHECK(first_element() == 1);
    for (int i = 0; i != 3; ++i) {
        send(first);
        CHECK_FALSE(travels());
        CHECK(first_element() == 1);
    }
    CHECK(open_descriptors() == before); // both ends are in one process: it is the same object

    SECTION("there need not be any descriptor left") {
        struct no_descriptors {
            rlimit usual{};
            no_descriptors() {
                ::getrlimit(RLIMIT_NOFILE, &usual);
                const rlimit none{0, usual.rlim_max};
                ::setrlimit(RLIMIT_NOFILE, &none);
            }
            ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &usual); }
        };
        send(first);
        const no_descriptors none;
        CHECK(first_element() == 1);
    }
    SECTION("several on their way, and one of them taken back") {
        send(first);
        const auto revoked = send(first);
        send(first);
        CHECK_FALSE(travels());
        CHECK(ch.parent.revoke(revoked));
        CHECK(first_element() == 1);
        CHECK(first_element() == 1);
        CHECK(ch.worker.peek() == nullptr);
        CHECK(ch.worker.control().kept.withdraw());
    }
    SECTION("another one takes its place") {
        send(second);
        CHECK(travels());
        CHECK(first_element() == 2);
        send(second);
        CHECK_FALSE(travels());
        CHECK(first_element() == 2);
        send(first);
        CHECK(travels());
        CHECK(first_element() == 1);
    }
    SECTION("a promise is kept though another one comes first") {
        send(second);
        send(first);
        CHECK(first_element() == 2);
        CHECK(first_element() == 1);
        send(first);
        CHECK_FALSE(travels());
        CHECK(first_element() == 1);
    }
    SECTION("a call without it lets it go") {
        ch.parent.send(message_kind::call, ++id);
        REQUIRE(ch.worker.peek() != nullptr);
        CHECK_FALSE(ch.parent.control().kept.promise(1));
        ch.worker.pop();
        send(first);
        CHECK(travels());
        CHECK(first_element() == 1);
    }
    SECTION("two at once are not kept") {
        send(first, second);
        CHECK(travels());
        CHECK(first_element() == 1);
        send(first);
        CHECK(travels());
        CHECK(first_element() == 1);
    }
    SECTION("not for long while no call comes") {
        CHECK_FALSE(ch.parent.control().kept.empty());
        std::jthread worker{[&] { static_cast<void>(ch.worker.wait()); }};
        CHECK(coproc_test::eventually([&] { return ch.parent.control().kept.empty(); }));
        send(first);
        CHECK(travels());
        worker.join();
        CHECK(first_element() == 1);
    }
    SECTION("one that is not looked at") {
        send(first);
        REQUIRE(ch.worker.peek() != nullptr);
        ch.worker.pop();
        CHECK(ch.worker.control().kept.withdraw());
    }
}
