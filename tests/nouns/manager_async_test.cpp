// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The asynchronous forms of the calls of a manager's built-in objects.

#include "support/managers.hpp"
#include "support/traced.hpp"

#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace coproc_test;

namespace {

template <class F>
std::string message_of(F&& failing) {
    try {
        static_cast<void>(std::forward<F>(failing)());
    } catch (const std::out_of_range& e) {
        return e.what();
    }
    return "no exception";
}

/// A key without a text.
struct place {
    int x = 0;
    int y = 0;
    auto operator<=>(const place&) const = default;
};

class greeter {
public:
    greeter(std::string greeting, int loudness) : text_{std::move(greeting)} {
        if (loudness < 0) throw std::invalid_argument{"too quiet"};
        text_.append(static_cast<std::size_t>(loudness), '!');
    }
    std::string text() const { return text_; }
    std::string and_also(std::string more) const { return text_ + more; }

private:
    std::string text_;
};

} // namespace

TEMPLATE_TEST_CASE("a manager's dict, awaited", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto d = m.template dict<std::string, int>();
    run([&]() -> asio::awaitable<void> {
        co_await d.async_set("apples", 3);
        co_await d.async_set("pears", 4);
        co_await d.async_set("apples", 5);
        const int apples = co_await d.async_at("apples");
        CHECK(apples == 5);
        const auto pears = co_await d.async_get("pears");
        CHECK(pears == 4);
        const auto plums = co_await d.async_get("plums");
        CHECK(plums == std::nullopt);
        const int otherwise = co_await d.async_get("plums", 9);
        CHECK(otherwise == 9);
        const int present = co_await d.async_get("pears", 9);
        CHECK(present == 4);
        const bool contains = co_await d.async_contains("apples");
        CHECK(contains);
        const std::size_t size = co_await d.async_size();
        CHECK(size == 2);
        const auto keys = co_await d.async_keys();
        CHECK(keys == std::vector<std::string>{"apples", "pears"});
        const auto values = co_await d.async_values();
        CHECK(values == std::vector<int>{5, 4});
        const auto items = co_await d.async_items();
        CHECK(items == std::vector<std::pair<std::string, int>>{{"apples", 5}, {"pears", 4}});
        const auto taken = co_await d.async_take("apples");
        CHECK(taken == 5);
        const auto again = co_await d.async_take("apples");
        CHECK(again == std::nullopt);
        const bool erased = co_await d.async_erase("pears");
        CHECK(erased);
        const bool empty = co_await d.async_empty();
        CHECK(empty);
        d.set("x", 1);
        co_await d.async_clear();
        CHECK(d.empty());
    });
}

TEMPLATE_TEST_CASE("a manager's list and array, awaited", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto l = m.template list<std::string>();
    auto a = m.template array<double>(3);
    run([&]() -> asio::awaitable<void> {
        co_await l.async_push_back("b");
        co_await l.async_push_back("c");
        co_await l.async_insert(0, "a");
        co_await l.async_set(2, "d");
        const auto items = co_await l.async_items();
        CHECK(items == std::vector<std::string>{"a", "b", "d"});
        const auto second = co_await l.async_at(1);
        CHECK(second == "b");
        const auto first = co_await l.async_take(0);
        CHECK(first == "a");
        const auto last = co_await l.async_pop_back();
        CHECK(last == "d");
        const std::size_t size = co_await l.async_size();
        CHECK(size == 1);
        co_await l.async_erase(0);
        const auto none = co_await l.async_pop_back();
        CHECK(none == std::nullopt);
        const bool empty = co_await l.async_empty();
        CHECK(empty);
        l.push_back("x");
        co_await l.async_clear();
        CHECK(l.empty());

        co_await a.async_set(1, 2.5);
        const double middle = co_await a.async_at(1);
        CHECK(middle == 2.5);
        const std::size_t length = co_await a.async_size();
        CHECK(length == 3);
        const auto all = co_await a.async_items();
        CHECK(all == std::vector<double>{0, 2.5, 0});
    });
}

TEMPLATE_TEST_CASE("a manager's value and namespace, awaited", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto v = m.template value<std::vector<int>>();
    auto n = m.namespace_();
    run([&]() -> asio::awaitable<void> {
        const std::vector<int> one{1};
        const std::vector<int> two{1, 2};
        co_await v.async_set(one);
        const auto got = co_await v.async_get();
        CHECK(got == one);
        co_await v.async_store(two);
        const auto loaded = co_await v.async_load();
        CHECK(loaded == two);
        const auto before = co_await v.async_exchange(one);
        CHECK(before == two);

        co_await n.async_set("size", 3);
        co_await n.async_set("name", "Ada");
        const int size = co_await n.template async_get<int>("size");
        CHECK(size == 3);
        const auto name = co_await n.template async_get<std::string>("name");
        CHECK(name == "Ada");
        const auto names = co_await n.async_names();
        CHECK(names == std::vector<std::string>{"size", "name"});
        CHECK_THROWS_AS(co_await n.template async_get<int>("nothing"), std::out_of_range);
        CHECK_THROWS_AS(co_await n.template async_get<std::string>("size"), coproc::error);
        const bool contains = co_await n.async_contains("name");
        CHECK(contains);
        const bool erased = co_await n.async_erase("name");
        CHECK(erased);
        CHECK_FALSE(n.contains("name"));
    });
}

TEMPLATE_TEST_CASE("a manager's queue, mutex, semaphore and event, awaited", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto q = m.template queue<int>(2);
    auto mutex = m.mutex();
    auto s = m.semaphore(0);
    auto e = m.event();
    run([&]() -> asio::awaitable<void> {
        co_await q.async_put(1);
        const std::size_t size = co_await q.async_size();
        CHECK(size == 1);
        const std::size_t maxsize = co_await q.async_maxsize();
        CHECK(maxsize == 2);
        const bool empty = co_await q.async_empty();
        CHECK_FALSE(empty);
        co_await q.async_put(2);
        const bool full = co_await q.async_full();
        CHECK(full);
        const bool open = !co_await q.async_closed();
        CHECK(open);
        co_await q.async_close();
        const bool closed = co_await q.async_closed();
        CHECK(closed);

        co_await mutex.async_lock();
        co_await mutex.async_unlock();
        CHECK_THROWS_AS(co_await mutex.async_unlock(), std::logic_error);

        co_await s.async_release();
        co_await s.async_release(2);
        const std::size_t permits = co_await s.async_value();
        CHECK(permits == 3);

        co_await e.async_set();
        const bool set = co_await e.async_is_set();
        CHECK(set);
        co_await e.async_wait();
        co_await e.async_clear();
        CHECK_FALSE(e.is_set());
    });
}

TEMPLATE_TEST_CASE("what a manager's object lacks is named", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto words = m.template dict<std::string, int>();
    auto numbers = m.template dict<int, int>();
    auto places = m.template dict<place, int>();
    auto l = m.template list<std::string>(); // whose type is not spelt out
    auto a = m.template array<double>(3);
    auto n = m.namespace_();
    CHECK(message_of([&] { return words.at("plums"); }) == "coproc: the dict has no key \"plums\"");
    CHECK(message_of([&] { return numbers.at(-7); }) == "coproc: the dict has no key -7");
    CHECK(message_of([&] { return places.at({1, 2}); }) == "coproc: the dict has no such key");
    CHECK(message_of([&] { return l.at(2); }) == "coproc: index 2 of a list of 0");
    CHECK(message_of([&] { a.set(3, 1); }) == "coproc: index 3 of an array of 3");
    CHECK(message_of([&] { return n.template get<int>("size"); }) ==
          "coproc: the namespace has no \"size\"");
    run([&]() -> asio::awaitable<void> {
        std::vector<std::string> messages;
        try {
            co_await words.async_at("plums");
        } catch (const std::out_of_range& e) {
            messages.emplace_back(e.what());
        }
        try {
            co_await l.async_at(2);
        } catch (const std::out_of_range& e) {
            messages.emplace_back(e.what());
        }
        try {
            co_await n.template async_get<int>("size");
        } catch (const std::out_of_range& e) {
            messages.emplace_back(e.what());
        }
        CHECK(messages == std::vector<std::string>{"coproc: the dict has no key \"plums\"",
                                                   "coproc: index 2 of a list of 0",
                                                   "coproc: the namespace has no \"size\""});
    });
}

TEMPLATE_TEST_CASE("calls of a manager's objects take any completion token", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto d = m.template dict<std::string, int>();
    d.async_set("x", 1, asio::use_future).get();
    CHECK(d.async_at("x", asio::use_future).get() == 1);
    CHECK_THROWS_AS(d.async_at("y", asio::use_future).get(), std::out_of_range);
    std::promise<int> told;
    d.async_get("y", 5, [&](std::exception_ptr e, int x) {
        CHECK_FALSE(e);
        told.set_value(x);
    });
    CHECK(told.get_future().get() == 5);
    auto later = d.async_set("z", 3); // nothing has been sent
    CHECK_FALSE(d.contains("z"));
    std::move(later)(asio::use_future).get();
    CHECK(d.at("z") == 3);
    typename TestType::template dict<std::string, int> empty;
    CHECK_THROWS_AS(empty.async_size(asio::use_future).get(), std::logic_error);
}

TEMPLATE_TEST_CASE("proxies in a manager's objects can be awaited", "", MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    using value = typename TestType::template value<int>;
    auto v = m.template value<int>(3);
    auto d = m.template dict<std::string, value>();
    auto q = m.template queue<value>();
    d.set("v", v);
    q.put(v);
    // Reading one asks the manager, by the connection that the reply came through.
    auto from_dict = d.async_at("v", asio::use_future);
    REQUIRE(from_dict.wait_for(patience) == std::future_status::ready);
    CHECK(from_dict.get() == v);
    auto from_queue = q.async_get(asio::use_future);
    REQUIRE(from_queue.wait_for(patience) == std::future_status::ready);
    CHECK(from_queue.get().get() == 3);
    auto found = d.async_values(asio::use_future);
    REQUIRE(found.wait_for(patience) == std::future_status::ready);
    CHECK(found.get() == std::vector<value>{v});
}

TEMPLATE_TEST_CASE("a call of a manager's object that was cancelled disturbs no other", "",
                   MANAGER_VOCABULARIES) {
    typename TestType::manager m;
    auto d = m.template dict<int, int>();
    d.set(1, 2);
    asio::io_context context;
    int ended = 0;
    for (int i = 0; i != 100; ++i) {
        asio::cancellation_signal stop;
        std::exception_ptr failure;
        int got = -1;
        d.async_at(1,
                   asio::bind_cancellation_slot(
                       stop.slot(), asio::bind_executor(context, [&](std::exception_ptr e, int x) {
                           failure = e;
                           got = x;
                           ++ended;
                       })));
        stop.emit(asio::cancellation_type::all);
        context.restart();
        context.run_for(patience);
        REQUIRE(ended == i + 1);
        if (failure)
            CHECK_THROWS_AS(std::rethrow_exception(failure), coproc::cancelled_error);
        else
            CHECK(got == 2); // it was there before
        REQUIRE(d.at(1) == 2);
    }
}

TEMPLATE_TEST_CASE("a manager's own calls, awaited", "", MANAGER_VOCABULARIES) {
    const typename TestType::manager m;
    run([&]() -> asio::awaitable<void> {
        auto dict = co_await m.template async_dict<std::string, int>();
        dict.set("x", 1);
        auto list = co_await m.template async_list<int>();
        list.push_back(2);
        auto value = co_await m.template async_value<int>();
        CHECK(value.get() == 0);
        auto text = co_await m.template async_value<std::string>("a");
        CHECK(text.get() == "a");
        auto array = co_await m.template async_array<int>(3);
        CHECK(array.items() == std::vector<int>{0, 0, 0});
        auto filled = co_await m.template async_array<int>(2, 7);
        CHECK(filled.items() == std::vector<int>{7, 7});
        auto queue = co_await m.template async_queue<int>();
        queue.put(1);
        auto bounded = co_await m.template async_queue<int>(1);
        bounded.put(1);
        CHECK_FALSE(bounded.try_put(2));
        auto names = co_await m.async_namespace();
        names.set("n", 1);
        auto mutex = co_await m.async_mutex();
        CHECK(mutex.try_lock());
        mutex.unlock();
        auto one = co_await m.async_semaphore();
        CHECK(one.try_acquire());
        CHECK_FALSE(one.try_acquire());
        auto two = co_await m.async_semaphore(2);
        two.release();
        CHECK(two.value() == 3);
        auto limited = co_await m.async_bounded_semaphore(1);
        CHECK_THROWS_AS(limited.release(), std::logic_error);
        auto limited_too = co_await m.async_bounded_semaphore();
        CHECK_THROWS_AS(limited_too.release(), std::logic_error);
        auto event = co_await m.async_event();
        CHECK_FALSE(event.is_set());

        using words = typename TestType::template dict<std::string, int>;
        co_await m.async_publish("words", dict);
        const auto found = co_await m.template async_find<words>("words");
        CHECK(found == dict);
        const bool was_there = co_await m.async_unpublish("words");
        CHECK(was_there);
        const bool still_there = co_await m.async_unpublish("words");
        CHECK_FALSE(still_there);
        CHECK_THROWS_AS(co_await m.template async_find<words>("words"), std::out_of_range);
        co_await m.async_publish("words", list);
        CHECK_THROWS_AS(co_await m.template async_find<words>("words"), coproc::error);
    });
}

TEMPLATE_TEST_CASE("objects of a user's class made by a manager, awaited", "",
                   MANAGER_VOCABULARIES) {
    const typename TestType::manager m;
    run([&]() -> asio::awaitable<void> {
        auto make = m.template async_make<greeter>("hello", 1);
        auto object = co_await std::move(make);
        CHECK(object.call(&greeter::text) == "hello!");
        auto numbers =
            co_await m.template async_make_locked<std::vector<int>>(3U, 7, asio::use_awaitable);
        CHECK(numbers.call([](const std::vector<int>& all) { return all.at(2); }) == 7);
        auto failing = m.template async_make<greeter>("hello", -1);
        CHECK_THROWS_AS(co_await std::move(failing), std::invalid_argument);
    });
    const std::string_view hey = "hey";
    run([&]() -> asio::awaitable<void> {
        // What takes a string is given a view.
        auto object = co_await m.template async_make<greeter>(hey, 1);
        auto other = co_await m.template async_make_locked<greeter>(hey, 0, asio::use_awaitable);
        const auto second = co_await object.async_call(&greeter::and_also, hey);
        CHECK(second == "hey!hey");
        const auto first = co_await other.async_call(&greeter::and_also, hey, asio::use_awaitable);
        CHECK(first == "heyhey");
    });
    auto made = m.template async_make<greeter>("hi", 0, asio::use_future);
    REQUIRE(made.wait_for(patience) == std::future_status::ready);
    CHECK(made.get().call(&greeter::text) == "hi");
}

TEMPLATE_TEST_CASE("an object that nobody waits for any more is let go of", "",
                   MANAGER_VOCABULARIES) {
    const signs s;
    const typename TestType::manager m;
    SECTION("cancelled") {
        asio::io_context context;
        asio::cancellation_signal stop;
        bool ended = false;
        m.template async_make<traced>(
            s.path("gone"),
            asio::bind_cancellation_slot(
                stop.slot(), asio::bind_executor(context, [&](std::exception_ptr, auto&&) {
                    ended = true; // perhaps with the object: it was there before
                })));
        stop.emit(asio::cancellation_type::all);
        context.run_for(patience);
        CHECK(ended);
    }
    SECTION("its handler is destroyed") {
        asio::io_context context;
        m.template async_make<traced>(
            s.path("gone"), asio::bind_executor(context, [](std::exception_ptr, auto&&) {}));
    }
    SECTION("its handler is destroyed when it is there") {
        asio::io_context context;
        m.template async_make<traced>(
            s.path("gone"), asio::bind_executor(context, [](std::exception_ptr, auto&&) {}));
        // The server has had time for what was before.
        CHECK(m.template make<greeter>("hello", 0).call(&greeter::text) == "hello");
    }
    CHECK(eventually([&] { return sees_sign(s.path("gone")); }));
}
