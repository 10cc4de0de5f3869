// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What a manager's server hosts, fed with requests and without any I/O.

#include <manager/hosted.hpp>

#include "support/catch.hpp"

#include <coproc/codec.hpp>
#include <coproc/detail/remote.hpp>

#include <map>
#include <random>

using namespace coproc::detail;
using namespace std::chrono_literals;

namespace {

class host : public hosted_effects {
public:
    struct said {
        manager_status status;
        bytes_t payload;
    };

    void answer(client_id client, std::uint64_t request, hosted_answer&& what) override {
        REQUIRE_FALSE(answers.contains({client, request})); // never twice
        answers[{client, request}] = {what.status, std::move(what.payload)};
    }
    void run(hosted_request&&, std::shared_ptr<user_object>, object_id, client_id) override {
        ++calls;
    }
    void shut_down() override { down = true; }

    std::uint64_t ask(client_id client, manager_op op, object_id object,
                      remote_payload payload = {}, std::uint64_t timeout = wait_for_ever) {
        hosted_request request;
        request.client = client;
        request.header.op = static_cast<std::uint16_t>(op);
        request.header.id = ++next;
        request.header.object = object;
        request.header.timeout = timeout;
        request.header.status = payload.tickets;
        request.payload = std::move(payload.bytes);
        objects.handle(std::move(request), now);
        return next;
    }
    void tell(client_id client, manager_op op, object_id object, std::uint64_t id,
              remote_payload payload = {}) {
        hosted_request request;
        request.client = client;
        request.header.op = static_cast<std::uint16_t>(op);
        request.header.id = id;
        request.header.object = object;
        request.payload = std::move(payload.bytes);
        objects.handle(std::move(request), now);
    }
    template <class... Initial>
    object_id create(client_id client, hosted_kind kind, const Initial&... initial) {
        const auto id =
            ask(client, manager_op::create, 0, pack(kind, std::string{"a type"}, initial...));
        REQUIRE(status(client, id) == manager_status::ok);
        reader r{answers.at({client, id}).payload};
        return r.raw<object_id>();
    }
    [[nodiscard]] bool answered(client_id client, std::uint64_t id) const {
        return answers.contains({client, id});
    }
    [[nodiscard]] manager_status status(client_id client, std::uint64_t id) const {
        return answers.at({client, id}).status;
    }
    template <class T>
    T value(client_id client, std::uint64_t id) {
        REQUIRE(answered(client, id));
        REQUIRE(status(client, id) == manager_status::ok);
        reader r{answers.at({client, id}).payload};
        return decode<T>(r);
    }

    hosted_objects objects{*this};
    std::map<std::pair<client_id, std::uint64_t>, said> answers;
    hosted_objects::clock::time_point now = hosted_objects::clock::now();
    std::uint64_t next = 0;
    int calls = 0;
    bool down = false;
};

struct two_clients : host {
    two_clients() {
        objects.enter(1);
        objects.enter(2);
    }
    /// The same object for the second client.
    void share(object_id id) {
        const std::uint64_t ticket = 77'000 + id;
        tell(1, manager_op::lend, id, 0, pack(ticket));
        ask(2, manager_op::redeem, id, pack(ticket));
    }
};

} // namespace

TEST_CASE("a hosted object lives as long as a client refers to it") {
    two_clients h;
    const auto id = h.create(1, hosted_kind::list);
    h.share(id);
    h.tell(1, manager_op::release, id, 0);
    CHECK(h.objects.size() == 1);
    CHECK(h.status(1, h.ask(1, manager_op::list_size, id)) == manager_status::error);
    CHECK(h.value<std::uint64_t>(2, h.ask(2, manager_op::list_size, id)) == 0);
    h.objects.leave(2, h.now);
    CHECK(h.objects.size() == 0);
}

TEST_CASE("a reference under way keeps a hosted object, whoever comes first") {
    two_clients h;
    const std::uint64_t ticket = 5;
    SECTION("lent, then given up by the sender, then taken") {
        const auto id = h.create(1, hosted_kind::event);
        h.tell(1, manager_op::lend, id, 0, pack(ticket));
        h.tell(1, manager_op::release, id, 0);
        CHECK(h.objects.size() == 1);
        CHECK(h.status(2, h.ask(2, manager_op::redeem, id, pack(ticket))) == manager_status::ok);
        h.objects.leave(2, h.now);
        CHECK(h.objects.size() == 0);
    }
    SECTION("taken before it was lent") {
        const auto id = h.create(1, hosted_kind::event);
        CHECK(h.status(2, h.ask(2, manager_op::redeem, id, pack(ticket))) == manager_status::ok);
        h.tell(1, manager_op::lend, id, 0, pack(ticket));
        h.tell(1, manager_op::release, id, 0);
        CHECK(h.objects.size() == 1);
        h.objects.leave(2, h.now);
        CHECK(h.objects.size() == 0);
    }
    SECTION("the sender dies, the message is lost") {
        const auto id = h.create(1, hosted_kind::event);
        h.tell(1, manager_op::lend, id, 0, pack(ticket));
        h.objects.leave(1, h.now);
        CHECK(h.objects.size() == 1);
        REQUIRE(h.objects.next_deadline());
        h.objects.expire(h.now + hosted_objects::lost_ticket_time + 1s);
        CHECK(h.objects.size() == 0);
    }
}

TEST_CASE("a value that is kept keeps the objects that it refers to") {
    two_clients h;
    const std::uint64_t ticket = 5;
    const auto kept = [&](const auto&... what) {
        remote_payload payload = pack(what..., ticket);
        payload.tickets = 1;
        return payload;
    };
    const auto inner = h.create(1, hosted_kind::event);
    h.tell(1, manager_op::lend, inner, 0, pack(ticket));
    h.tell(1, manager_op::release, inner, 0);
    const auto redeem = [&] {
        return h.status(2, h.ask(2, manager_op::redeem, inner, pack(ticket)));
    };
    const auto late = h.now + hosted_objects::lost_ticket_time + 1s;

    SECTION("however often it is read, whoever is gone, however long it takes") {
        const auto list = h.create(1, hosted_kind::list);
        h.ask(1, manager_op::list_push, list, kept(17));
        h.share(list);
        h.objects.leave(1, h.now);
        h.objects.expire(late);
        for (int i = 0; i != 3; ++i) {
            CHECK(h.value<int>(2, h.ask(2, manager_op::list_at, list, pack(std::uint64_t{0}))) ==
                  17);
            CHECK(redeem() == manager_status::ok);
            h.tell(2, manager_op::release, inner, 0);
            CHECK(h.objects.size() == 2);
        }
        SECTION("what was sent just before it was overwritten is good for a while") {
            h.ask(2, manager_op::list_set, list, pack(std::uint64_t{0}, 18));
            CHECK(h.objects.size() == 2);
            SECTION("and redeemed") {
                CHECK(redeem() == manager_status::ok);
                h.tell(2, manager_op::release, inner, 0);
            }
            SECTION("or lost") { h.objects.expire(late + hosted_objects::lost_ticket_time); }
            CHECK(h.objects.size() == 1);
        }
        SECTION("and it goes with the object that keeps it") {
            h.tell(2, manager_op::release, list, 0);
            CHECK(h.objects.size() == 1);
            h.objects.expire(late + hosted_objects::lost_ticket_time);
            CHECK(h.objects.size() == 0);
        }
    }
    SECTION("each element of an array") {
        const auto array = h.create(1, hosted_kind::array, std::uint64_t{3}, 0);
        h.ask(1, manager_op::list_set, array, kept(std::uint64_t{1}, 17));
        h.share(array);
        h.objects.leave(1, h.now);
        h.objects.expire(late);
        CHECK(redeem() == manager_status::ok);
    }
    SECTION("an element of a queue, until its receiver has it") {
        const auto queue = h.create(1, hosted_kind::queue, std::uint64_t{0});
        h.share(queue);
        h.ask(1, manager_op::queue_put, queue, kept(17));
        h.objects.leave(1, h.now);
        h.objects.expire(late);
        CHECK(h.objects.size() == 2);
        const auto got = h.ask(2, manager_op::queue_get, queue);
        CHECK(h.value<int>(2, got) == 17);
        SECTION("acknowledged, then redeemed") {
            h.tell(2, manager_op::acknowledge, queue, got);
            CHECK(redeem() == manager_status::ok);
        }
        SECTION("redeemed, then acknowledged") {
            CHECK(redeem() == manager_status::ok);
            h.tell(2, manager_op::acknowledge, queue, got);
        }
        h.tell(2, manager_op::release, inner, 0);
        CHECK(h.objects.size() == 1);
    }
    SECTION("not one that was refused") {
        const auto list = h.create(1, hosted_kind::list);
        h.share(list);
        CHECK(h.status(1, h.ask(1, manager_op::list_set, list, kept(std::uint64_t{5}, 17))) ==
              manager_status::missing);
        h.objects.expire(late);
        CHECK(h.objects.size() == 1);
    }
    SECTION("more tickets than bytes are a malformed message") {
        const auto list = h.create(1, hosted_kind::list);
        remote_payload payload = pack(17);
        payload.tickets = 1;
        CHECK(h.status(1, h.ask(1, manager_op::list_push, list, std::move(payload))) ==
              manager_status::unsupported);
    }
}

TEST_CASE("a hosted queue serves those who wait in their order") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{1});
    h.share(q);
    const auto first = h.ask(1, manager_op::queue_get, q);
    const auto second = h.ask(2, manager_op::queue_get, q);
    h.ask(1, manager_op::queue_put, q, pack(10));
    h.ask(1, manager_op::queue_put, q, pack(11));
    CHECK(h.value<int>(1, first) == 10);
    CHECK(h.value<int>(2, second) == 11);
    h.ask(1, manager_op::queue_put, q, pack(12));
    const auto waits = h.ask(1, manager_op::queue_put, q, pack(13));
    CHECK_FALSE(h.answered(1, waits));
    CHECK(h.status(2, h.ask(2, manager_op::queue_put, q, pack(14), do_not_wait)) ==
          manager_status::full);
    CHECK(h.value<int>(2, h.ask(2, manager_op::queue_get, q)) == 12);
    CHECK(h.status(1, waits) == manager_status::ok);
    h.ask(1, manager_op::queue_close, q);
    CHECK(h.value<int>(2, h.ask(2, manager_op::queue_get, q)) == 13);
    CHECK(h.status(2, h.ask(2, manager_op::queue_get, q)) == manager_status::closed);
    CHECK(h.status(2, h.ask(2, manager_op::queue_put, q, pack(15))) == manager_status::closed);
}

TEST_CASE("elements that never arrived go back to the front of a hosted queue, in their order") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{0});
    h.share(q);
    for (int i = 0; i != 4; ++i)
        h.ask(1, manager_op::queue_put, q, pack(i));
    const auto taken = h.ask(2, manager_op::queue_get, q);
    h.tell(2, manager_op::acknowledge, 0, taken);
    h.ask(2, manager_op::queue_get, q);
    h.ask(2, manager_op::queue_get, q);
    h.objects.leave(2, h.now);
    for (int i = 1; i != 4; ++i)
        CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == i);
}

TEST_CASE("elements of a hosted queue that nobody waits for any more go back to their places") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{0});
    h.share(q);
    for (int i = 0; i != 4; ++i)
        h.ask(1, manager_op::queue_put, q, pack(i));
    const auto first = h.ask(2, manager_op::queue_get, q);
    const auto second = h.ask(1, manager_op::queue_get, q);
    const auto third = h.ask(2, manager_op::queue_get, q);
    h.tell(1, manager_op::acknowledge, 0, second);
    h.tell(2, manager_op::give_back, q, first);
    h.tell(2, manager_op::give_back, q, third);
    h.tell(2, manager_op::give_back, q + 1, third);
    CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == 0);
    CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == 2);
    CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == 3);
    h.objects.leave(2, h.now); // nothing of it comes back twice
    CHECK(h.status(1, h.ask(1, manager_op::queue_get, q, {}, do_not_wait)) ==
          manager_status::empty);
}

TEST_CASE("a client can give back what it was given") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{1});
    h.ask(1, manager_op::queue_put, q, pack(1));
    h.ask(1, manager_op::queue_get, q);
    h.ask(1, manager_op::queue_put, q, pack(2));
    h.tell(1, manager_op::give_back, q, 0, pack(1));
    CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == 1);
    CHECK(h.value<int>(1, h.ask(1, manager_op::queue_get, q)) == 2);
    const auto m = h.create(1, hosted_kind::mutex);
    h.share(m);
    h.ask(1, manager_op::mutex_lock, m);
    h.tell(2, manager_op::give_back, m, 0); // not its own
    const auto waits = h.ask(2, manager_op::mutex_lock, m);
    CHECK_FALSE(h.answered(2, waits));
    h.tell(1, manager_op::give_back, m, 0);
    CHECK(h.status(2, waits) == manager_status::ok);
    h.tell(1, manager_op::give_back, 999, 0); // nothing: no answer, either
}

TEST_CASE("parked requests end by time, by cancelling and with their client") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{0});
    h.share(q);
    const auto timed =
        h.ask(1, manager_op::queue_get, q, {}, static_cast<std::uint64_t>(1'000'000));
    const auto cancelled = h.ask(1, manager_op::queue_get, q);
    const auto orphan = h.ask(2, manager_op::queue_get, q);
    const auto last = h.ask(1, manager_op::queue_get, q);
    CHECK(h.objects.parked() == 4);
    h.objects.expire(h.now + 1s);
    CHECK(h.status(1, timed) == manager_status::empty);
    h.tell(1, manager_op::cancel, q, cancelled);
    CHECK(h.status(1, cancelled) == manager_status::cancelled);
    h.tell(1, manager_op::cancel, q, cancelled); // too late: nothing
    h.objects.leave(2, h.now);
    h.ask(1, manager_op::queue_put, q, pack(5));
    CHECK(h.value<int>(1, last) == 5);
    CHECK_FALSE(h.answered(2, orphan));
    CHECK(h.objects.parked() == 0);
}

TEST_CASE("a hosted mutex whose owner dies says so once") {
    two_clients h;
    h.objects.enter(3);
    const auto m = h.create(1, hosted_kind::mutex);
    h.share(m);
    CHECK(h.status(2, h.ask(2, manager_op::mutex_lock, m)) == manager_status::ok);
    CHECK(h.status(1, h.ask(1, manager_op::mutex_unlock, m)) == manager_status::not_owner);
    CHECK(h.status(1, h.ask(1, manager_op::mutex_lock, m, {}, do_not_wait)) ==
          manager_status::timed_out);
    SECTION("with somebody waiting") {
        const auto first = h.ask(1, manager_op::mutex_lock, m);
        const auto second = h.ask(1, manager_op::mutex_lock, m);
        h.objects.leave(2, h.now);
        CHECK(h.status(1, first) == manager_status::owner_died);
        CHECK(h.status(1, second) == manager_status::ok);
    }
    SECTION("with nobody waiting") {
        h.objects.leave(2, h.now);
        CHECK(h.status(1, h.ask(1, manager_op::mutex_lock, m)) == manager_status::owner_died);
        CHECK(h.status(1, h.ask(1, manager_op::mutex_lock, m)) == manager_status::ok);
    }
    CHECK(h.status(1, h.ask(1, manager_op::mutex_unlock, m)) == manager_status::ok);
}

TEST_CASE("a hosted semaphore keeps its bound") {
    two_clients h;
    const auto s = h.create(1, hosted_kind::semaphore, std::uint64_t{2}, std::uint64_t{2});
    CHECK(h.status(1, h.ask(1, manager_op::semaphore_release, s, pack(std::uint64_t{1}))) ==
          manager_status::overflow);
    h.ask(1, manager_op::semaphore_acquire, s);
    h.ask(1, manager_op::semaphore_acquire, s);
    const auto waits = h.ask(1, manager_op::semaphore_acquire, s);
    CHECK_FALSE(h.answered(1, waits));
    h.ask(1, manager_op::semaphore_release, s, pack(std::uint64_t{2}));
    CHECK(h.status(1, waits) == manager_status::ok);
    CHECK(h.value<std::uint64_t>(1, h.ask(1, manager_op::semaphore_value, s)) == 1);
}

TEST_CASE("a client can do nothing with what it does not refer to") {
    two_clients h;
    const auto q = h.create(1, hosted_kind::queue, std::uint64_t{0});
    CHECK(h.status(2, h.ask(2, manager_op::queue_get, q)) == manager_status::error);
    CHECK(h.status(2, h.ask(2, manager_op::queue_get, 12345)) == manager_status::error);
    CHECK_THROWS_AS(h.tell(2, manager_op::release, q, 0), protocol_error);
    // Giving an object up ends what waits at it.
    const auto waits = h.ask(1, manager_op::queue_get, q);
    h.tell(1, manager_op::release, q, 0);
    CHECK(h.status(1, waits) == manager_status::cancelled);
    CHECK(h.objects.size() == 0);
    CHECK(h.objects.parked() == 0);
}

TEST_CASE("operations of another kind of object are refused") {
    two_clients h;
    const auto d = h.create(1, hosted_kind::dict);
    CHECK(h.status(1, h.ask(1, manager_op::queue_get, d)) == manager_status::unsupported);
    CHECK(h.status(1, h.ask(1, manager_op::call, d)) == manager_status::unsupported);
    CHECK(h.status(1, h.ask(1, manager_op::dict_set, d, pack(std::uint64_t{99}))) ==
          manager_status::unsupported); // a key longer than the message
    const auto a = h.create(1, hosted_kind::array, std::uint64_t{3}, 0);
    CHECK(h.status(1, h.ask(1, manager_op::list_push, a, pack(1))) == manager_status::unsupported);
}

TEST_CASE("a hosted world survives what random clients ask for") {
    std::mt19937 random{2026};
    two_clients h;
    std::vector<object_id> ids;
    ids.push_back(h.create(1, hosted_kind::dict));
    ids.push_back(h.create(1, hosted_kind::list));
    ids.push_back(h.create(1, hosted_kind::queue, std::uint64_t{2}));
    ids.push_back(h.create(1, hosted_kind::mutex));
    ids.push_back(h.create(1, hosted_kind::semaphore, std::uint64_t{1}, std::uint64_t{3}));
    ids.push_back(h.create(1, hosted_kind::event));
    for (const auto id : ids)
        h.share(id);
    client_id second = 2;
    for (int i = 0; i != 100'000; ++i) {
        const client_id client = random() % 2 == 0 ? 1 : second;
        remote_payload payload;
        payload.bytes.resize(random() % 24);
        for (auto& b : payload.bytes)
            b = static_cast<std::byte>(random() % 4);
        const auto op = static_cast<manager_op>(64 + random() % 136);
        h.now += std::chrono::microseconds{random() % 50};
        try {
            h.ask(client, op, ids[random() % ids.size()], std::move(payload),
                  random() % 3 == 0 ? random() % 100'000 : do_not_wait);
        } catch (const protocol_error&) {
            // Not an operation.
        }
        if (random() % 64 == 0) h.objects.expire(h.now);
        if (random() % 512 == 0) {
            h.objects.leave(second, h.now);
            h.objects.enter(++second);
            for (const auto id : ids)
                h.ask(second, manager_op::redeem, id, pack(std::uint64_t{0}));
        }
    }
    h.objects.leave(1, h.now);
    h.objects.leave(second, h.now);
    CHECK(h.objects.size() == 0);
    CHECK(h.objects.parked() == 0);
}
