// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A connection to a manager over a link that fails, or has no room, just when it hurts.

#include <manager/connection.hpp>

#include "support/pools.hpp"

#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <deque>
#include <future>
#include <latch>
#include <manager/frame.hpp>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>

using namespace coproc_test;
namespace detail = coproc::detail;
using detail::manager_op;
using detail::os::unique_fd;

namespace {

constexpr std::size_t large = std::size_t{8} << 20; // more than any socket takes

/// What happens to a link, from outside.
struct trouble {
    bool holds_back = false; // the last bytes written, as TLS does
    std::atomic<bool> write_fails{false};
    std::atomic<bool> arm_fails{false};
    std::atomic<int> armed{0}; // whoever did sleeps, or the reactor waits, before the lock is free
    std::atomic<bool> cut{false};
    std::deque<unique_fd> arrived{};
};

class troubled_link final : public detail::transport {
public:
    troubled_link(unique_fd socket, std::shared_ptr<trouble> what)
        : transport{std::move(socket)}, what_{std::move(what)} {}

    progress read(std::span<std::byte> into) override {
        write_held();
        const auto n = ::recv(socket(), into.data(), into.size(), MSG_DONTWAIT);
        if (n < 0) return {0, errno != EAGAIN};
        return {static_cast<std::size_t>(n), n == 0};
    }
    progress write(std::span<const std::byte> from) override {
        if (what_->write_fails) throw detail::protocol_error{"the link is damaged"};
        if (!what_->holds_back) return send_now(from);
        write_held();
        if (!held_.empty()) return {0, false};
        held_.assign(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                      from.size(), std::size_t{16} << 10)));
        const std::size_t taken = held_.size();
        write_held();
        return {taken, false};
    }
    [[nodiscard]] bool carries_descriptors() const noexcept override { return true; }
    std::vector<unique_fd> take_descriptors(std::size_t count) override {
        std::vector<unique_fd> taken;
        for (; count != 0 && !what_->arrived.empty(); --count) {
            taken.push_back(std::move(what_->arrived.front()));
            what_->arrived.pop_front();
        }
        if (what_->cut) throw coproc::serialization_error{"too many open files"};
        if (count != 0) throw detail::protocol_error{"they are missing"};
        return taken;
    }
    [[nodiscard]] bool wants_to_write() const noexcept override {
        const std::scoped_lock lock{mutex_};
        return !held_.empty();
    }
    [[nodiscard]] bool arm(bool, bool) override {
        if (what_->arm_fails) throw std::bad_alloc{};
        ++what_->armed;
        return false;
    }

private:
    progress send_now(std::span<const std::byte> from) {
        const auto n = ::send(socket(), from.data(), from.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0) return {0, errno != EAGAIN};
        return {static_cast<std::size_t>(n), false};
    }
    void write_held() {
        const std::scoped_lock lock{mutex_};
        const std::size_t n = held_.empty() ? 0 : send_now(held_).bytes;
        held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(n));
    }

    std::shared_ptr<trouble> what_;
    mutable std::mutex mutex_;
    std::vector<std::byte> held_;
};

/// A connection, and the manager's end of it.
struct both_ends {
    explicit both_ends(bool holds_back = false) {
        what->holds_back = holds_back;
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        manager = unique_fd{ends[0]};
        detail::open_connection from;
        from.link = std::make_unique<troubled_link>(unique_fd{ends[1]}, what);
        from.parser.allow(std::size_t{1} << 40, detail::transport::most_descriptors);
        client = std::make_shared<detail::connection>(detail::client_address{}, std::move(from));
    }

    /// The next whole frame that came; nothing if none does, or half of one.
    std::optional<detail::frame> next_frame() {
        const auto until = std::chrono::steady_clock::now() + patience;
        detail::frame result;
        while (!in.next(result)) {
            pollfd entry{manager.get(), POLLIN, 0};
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                until - std::chrono::steady_clock::now());
            if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) != 1)
                return std::nullopt;
            const auto room = in.room();
            const auto n = ::recv(manager.get(), room.data(), room.size(), MSG_DONTWAIT);
            if (n <= 0) return std::nullopt;
            in.filled(static_cast<std::size_t>(n));
        }
        return result;
    }
    void reply_to(std::uint64_t request, std::uint32_t descriptors = 0,
                  const std::string& payload = {}) const {
        detail::frame_header header;
        header.op = static_cast<std::uint16_t>(manager_op::reply);
        header.status = static_cast<std::uint16_t>(coproc::detail::manager_status::ok);
        header.id = request;
        header.descriptors = descriptors;
        header.size = payload.size();
        REQUIRE(::send(manager.get(), &header, sizeof header, MSG_NOSIGNAL) == sizeof header);
        if (!payload.empty())
            REQUIRE(::send(manager.get(), payload.data(), payload.size(), MSG_NOSIGNAL) ==
                    static_cast<ssize_t>(payload.size()));
    }
    /// Until the driver sleeps, or the reactor waits, once more.
    [[nodiscard]] bool armed_after(int before) const {
        return eventually([&] { return what->armed > before; });
    }

    std::shared_ptr<trouble> what = std::make_shared<trouble>();
    unique_fd manager;
    std::shared_ptr<detail::connection> client;
    detail::frame_parser in = [] {
        detail::frame_parser parser;
        parser.allow(std::size_t{1} << 40, 0);
        return parser;
    }();
};

struct counting_waiter final : detail::remote_waiter {
    void on_reply(detail::remote_reply&&) noexcept override { ++replies; }
    void on_failure(std::exception_ptr) noexcept override { ++failures; }
    [[nodiscard]] bool told() const noexcept { return replies + failures != 0; }
    std::atomic<int> replies{0};
    std::atomic<int> failures{0};
};

detail::remote_payload bytes(std::size_t n) {
    detail::remote_payload result;
    result.bytes.resize(n);
    return result;
}

/// A call on a thread that a failing test need not wait for.
std::future<detail::remote_reply> call_on_thread(const std::shared_ptr<detail::connection>& over,
                                                 manager_op op, std::size_t size = 0) {
    std::packaged_task<detail::remote_reply()> task{
        [over, op, size] { return over->call(op, 1, bytes(size), coproc::detail::wait_for_ever); }};
    auto result = task.get_future();
    std::thread{std::move(task)}.detach();
    return result;
}

/// Nothing that was posted to the reactor before is still to come.
void pass_through_reactor() {
    std::promise<void> passed;
    asio::post(detail::reactor(), [&] { passed.set_value(); });
    REQUIRE(passed.get_future().wait_for(patience) == std::future_status::ready);
}

} // namespace

TEST_CASE("what a manager is told arrives whole, though nobody waits for anything") {
    const bool holds_back = GENERATE(false, true);
    CAPTURE(holds_back);
    both_ends ends{holds_back};
    ends.client->tell(manager_op::give_back, 1, 0, bytes(large));
    ends.client->tell(manager_op::release, 1, 0, {});
    SECTION("and the connection lives on") {}
    SECTION("and nobody holds the connection any more") { ends.client.reset(); }
    const auto first = ends.next_frame();
    REQUIRE(first);
    CHECK(first->payload.size() == large);
    const auto second = ends.next_frame();
    REQUIRE(second);
    CHECK(second->op() == manager_op::release);
}

TEST_CASE("a connection to a manager that nobody holds ends once all is written") {
    both_ends ends;
    ends.client->tell(manager_op::give_back, 1, 0, bytes(large));
    const std::weak_ptr<detail::connection> watched = ends.client;
    ends.client.reset();
    SECTION("written") { REQUIRE(ends.next_frame()); }
    SECTION("or the manager has gone") { ends.manager.reset(); }
    CHECK(eventually([&] { return watched.expired(); }));
}

TEST_CASE("what a manager is told arrives whole while a thread sleeps until its reply comes") {
    const bool holds_back = GENERATE(false, true);
    CAPTURE(holds_back);
    both_ends ends{holds_back};
    auto reply = call_on_thread(ends.client, manager_op::value_load);
    REQUIRE(ends.armed_after(0));
    ends.client->tell(manager_op::give_back, 1, 0, bytes(large));
    const auto request = ends.next_frame();
    REQUIRE(request);
    const auto told = ends.next_frame();
    REQUIRE(told);
    CHECK(told->payload.size() == large);
    ends.reply_to(request->header.id);
    REQUIRE(reply.wait_for(patience) == std::future_status::ready);
    CHECK(reply.get().ok());
}

TEST_CASE("what a thread that got its reply left unsent is written all the same") {
    const bool holds_back = GENERATE(false, true);
    CAPTURE(holds_back);
    both_ends ends{holds_back};
    auto reply = call_on_thread(ends.client, manager_op::value_store, large);
    REQUIRE(ends.armed_after(0)); // the rest has no room
    ends.reply_to(1);             // before all of the request is there
    REQUIRE(reply.wait_for(patience) == std::future_status::ready);
    const auto request = ends.next_frame();
    REQUIRE(request);
    CHECK(request->payload.size() == large);
}

TEST_CASE("a reply whose acknowledgement cannot be sent ends its request once") {
    both_ends ends;
    SECTION("that nobody blocks for") {
        counting_waiter waiter;
        ends.client->start(manager_op::queue_get, 1, {}, coproc::detail::wait_for_ever, waiter);
        const auto request = ends.next_frame();
        REQUIRE(request);
        ends.what->write_fails = true;
        ends.reply_to(request->header.id);
        CHECK(eventually([&] { return waiter.told(); }));
        pass_through_reactor();
        CHECK(waiter.failures == 1);
        CHECK(waiter.replies == 0);
        CHECK_FALSE(ends.client->usable());
    }
    SECTION("that a thread blocks for") {
        auto reply = call_on_thread(ends.client, manager_op::queue_get);
        const auto request = ends.next_frame();
        REQUIRE(request);
        ends.what->write_fails = true;
        ends.reply_to(request->header.id);
        REQUIRE(reply.wait_for(patience) == std::future_status::ready);
        CHECK_THROWS_AS(reply.get(), detail::protocol_error);
        CHECK_FALSE(ends.client->usable());
    }
}

TEST_CASE("a damaged link to a manager ends every call that waits") {
    both_ends ends;
    counting_waiter waiter;
    ends.client->start(manager_op::value_load, 1, {}, coproc::detail::wait_for_ever, waiter);
    std::vector<std::future<detail::remote_reply>> replies;
    for (int i = 0; i != 3; ++i)
        replies.push_back(call_on_thread(ends.client, manager_op::value_load));
    for (int i = 0; i != 4; ++i)
        REQUIRE(ends.next_frame());
    ends.what->write_fails = true;
    ends.client->tell(manager_op::release, 1, 0, {}); // whoever drives meets it
    for (auto& each : replies) {
        REQUIRE(each.wait_for(patience) == std::future_status::ready);
        CHECK_THROWS_AS(each.get(), detail::protocol_error);
    }
    CHECK(eventually([&] { return waiter.told(); }));
    CHECK(waiter.failures == 1);
}

TEST_CASE("descriptors of a manager's reply that is not complete are closed") {
    both_ends ends;
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    const unique_fd read_end{pipe[0]};
    ends.what->arrived.emplace_back(pipe[1]);
    counting_waiter waiter;
    ends.client->start(manager_op::value_load, 1, {}, coproc::detail::wait_for_ever, waiter);
    const auto request = ends.next_frame();
    REQUIRE(request);
    ends.reply_to(request->header.id, 2); // of which one came
    CHECK(eventually([&] { return waiter.told(); }));
    CHECK(waiter.failures == 1);
    pollfd entry{read_end.get(), POLLIN, 0};
    REQUIRE(::poll(&entry, 1, 0) == 1);
    CHECK((entry.revents & POLLHUP) != 0); // nobody has the other end
}

TEST_CASE("a request to a manager that could not be started is forgotten") {
    both_ends ends;
    counting_waiter first;
    ends.client->start(manager_op::value_load, 1, {}, coproc::detail::wait_for_ever, first);
    REQUIRE(ends.armed_after(0)); // the reactor waits
    ends.what->arm_fails = true;
    counting_waiter second;
    CHECK_THROWS_AS(
        ends.client->start(manager_op::value_load, 1, {}, coproc::detail::wait_for_ever, second),
        std::bad_alloc);
    ends.what->arm_fails = false;
    ends.manager.reset();
    CHECK(eventually([&] { return first.told(); }));
    pass_through_reactor();
    CHECK(first.failures == 1);
    CHECK_FALSE(second.told());
}

TEST_CASE("a worker that is forked while a connection to a manager ends does not keep it open") {
    both_ends ends;
    counting_waiter waiter;
    ends.client->start(manager_op::value_load, 1, {}, coproc::detail::wait_for_ever, waiter);
    REQUIRE(ends.next_frame());
    REQUIRE(ends.armed_after(0)); // the reactor has the descriptors
    pass_through_reactor();
    std::latch busy{1};
    std::latch go_on{1};
    asio::post(detail::reactor(), [&] {
        busy.count_down();
        go_on.wait();
    });
    busy.wait();
    ends.client.reset(); // the reactor is to close them, and does not get to it
    static constexpr int none = -1;
    const pid_t worker = detail::fork_without_private(&none);
    if (worker == 0) {
        ::alarm(120);
        for (;;)
            ::pause();
    }
    go_on.count_down();
    pollfd entry{ends.manager.get(), POLLIN, 0};
    const std::chrono::milliseconds limit = patience;
    REQUIRE(::poll(&entry, 1, static_cast<int>(limit.count())) >= 0);
    CHECK((entry.revents & POLLHUP) != 0);
    ::kill(worker, SIGKILL);
    ::waitpid(worker, nullptr, 0);
}

TEST_CASE("an element that a manager sends too late is given back, not acknowledged") {
    both_ends ends;
    counting_waiter late;
    const auto soon = std::chrono::steady_clock::now() + 5ms;
    CHECK_FALSE(
        ends.client->call_until(manager_op::queue_get, 7, {}, detail::wait_for_ever, soon, late));
    const auto request = ends.next_frame();
    REQUIRE(request);
    const auto cancel = ends.next_frame();
    REQUIRE(cancel);
    CHECK(cancel->op() == manager_op::cancel);
    CHECK(cancel->header.id == request->header.id);
    ends.reply_to(request->header.id, 0, "element");
    const auto back = ends.next_frame();
    REQUIRE(back);
    CHECK(back->op() == manager_op::give_back);
    CHECK(back->header.object == 7);
    CHECK(back->header.id == request->header.id);
    CHECK(back->payload.empty()); // the server has it still
    CHECK(eventually([&] { return late.told(); }));
    CHECK(late.replies == 1);
}

TEST_CASE("who gives up a manager leaves nothing half sent, and nothing that was not begun") {
    const bool holds_back = GENERATE(false, true);
    CAPTURE(holds_back);
    both_ends ends{holds_back};
    counting_waiter half;
    counting_waiter never;
    const auto soon = [] { return std::chrono::steady_clock::now() + 5ms; };
    CHECK_FALSE(ends.client->call_until(manager_op::value_store, 1, bytes(large),
                                        detail::wait_for_ever, soon(), half));
    CHECK_FALSE(ends.client->call_until(manager_op::value_store, 1, bytes(100),
                                        detail::wait_for_ever, soon(), never));
    CHECK(never.failures == 1);
    ends.client->tell(manager_op::release, 1, 0, {});
    const auto first = ends.next_frame();
    REQUIRE(first);
    CHECK(first->payload.size() == large);
    const auto second = ends.next_frame();
    REQUIRE(second);
    CHECK(second->op() == manager_op::release);
    ends.reply_to(first->header.id);
    CHECK(eventually([&] { return half.told(); }));
    CHECK(half.replies == 1);
    CHECK(never.replies == 0);
}

TEST_CASE("a thread that gives up a manager hands over to one that goes on waiting") {
    both_ends ends;
    counting_waiter late;
    bool answered = true;
    std::thread gives_up{[&] {
        const auto soon = std::chrono::steady_clock::now() + 50ms;
        answered =
            ends.client
                ->call_until(manager_op::value_load, 1, {}, detail::wait_for_ever, soon, late)
                .has_value();
    }};
    const auto first = ends.next_frame();
    REQUIRE(first);
    auto reply = call_on_thread(ends.client, manager_op::value_load);
    const auto second = ends.next_frame();
    REQUIRE(second);
    gives_up.join();
    CHECK_FALSE(answered);
    ends.reply_to(second->header.id);
    ends.reply_to(first->header.id);
    REQUIRE(reply.wait_for(patience) == std::future_status::ready);
    CHECK(reply.get().ok());
    CHECK(eventually([&] { return late.told(); }));
    CHECK(late.replies == 1);
}

TEST_CASE("the end of a connection to a manager is told to those who have given up") {
    both_ends ends;
    counting_waiter late;
    CHECK_FALSE(ends.client->call_until(manager_op::value_load, 1, {}, detail::wait_for_ever,
                                        std::chrono::steady_clock::now(), late));
    ends.manager.reset();
    CHECK(eventually([&] { return late.told(); }));
    CHECK(late.failures == 1);
}

TEST_CASE("a reply of a manager that lost its descriptors fails its request alone") {
    both_ends ends;
    ends.what->cut = true;
    auto reply = call_on_thread(ends.client, manager_op::queue_get);
    const auto request = ends.next_frame();
    REQUIRE(request);
    ends.reply_to(request->header.id, 1);
    REQUIRE(reply.wait_for(patience) == std::future_status::ready);
    auto got = reply.get();
    CHECK_FALSE(got.ok());
    CHECK_THROWS_AS(require_ok(got), coproc::serialization_error);
    const auto answer = ends.next_frame();
    REQUIRE(answer);
    CHECK(answer->op() == manager_op::give_back); // the element is for those who can take it
    CHECK(answer->header.id == request->header.id);

    auto next = call_on_thread(ends.client, manager_op::value_load);
    const auto another = ends.next_frame();
    REQUIRE(another);
    ends.reply_to(another->header.id);
    REQUIRE(next.wait_for(patience) == std::future_status::ready);
    CHECK(next.get().ok());
}

TEST_CASE("a link to a manager says which message's descriptors could not be opened") {
    std::array<int, 2> sockets{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) == 0);
    const auto from = detail::make_socket_transport(unique_fd{sockets[0]}, true);
    const auto to = detail::make_socket_transport(unique_fd{sockets[1]}, true);
    const std::array sent{STDIN_FILENO, STDOUT_FILENO};
    const auto send = [&] {
        REQUIRE(from->send_descriptors(sent));
        REQUIRE(from->write(std::array{std::byte{1}}).bytes == 1);
    };
    const auto read = [&] {
        std::array<std::byte, 16> into{};
        REQUIRE(to->read(into).bytes == 1);
    };
    rlimit usual{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &usual) == 0);
    const int next_free = ::dup(STDIN_FILENO);
    ::close(next_free);
    const int room = GENERATE(0, 1); // for that many
    send();
    const rlimit tight{static_cast<rlim_t>(next_free + room), usual.rlim_max};
    ::setrlimit(RLIMIT_NOFILE, &tight);
    read();
    ::setrlimit(RLIMIT_NOFILE, &usual);
    send();
    read();
    CHECK_THROWS_AS(to->take_descriptors(2), coproc::serialization_error);
    CHECK(to->take_descriptors(2).size() == 2);
    CHECK_THROWS_AS(to->take_descriptors(1), detail::protocol_error);
}
