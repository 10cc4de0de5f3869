// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Inputs are read as they are needed, let go as soon as they are used, and one that fails harms
// nothing else.

#include "pool_faults.hpp"
#include "support/forked.hpp"

#include <os/limits.hpp>

#include <csignal>
#include <memory>
#include <numeric>
#include <ranges>
#include <stdexcept>
#include <string_view>

using namespace coproc_test;

namespace {

/// An endless input that counts how far it has been read.
auto counted_input(std::atomic<int>& read) {
    return std::views::iota(0) | std::views::transform([&read](int x) {
               ++read;
               return x;
           });
}

/// An input that throws instead of its item `bad`.
auto failing_input(int length, int bad) {
    return std::views::iota(0, length) | std::views::transform([bad](int x) {
               if (x == bad) throw std::out_of_range{"perished"};
               return x;
           });
}

int slow_twice(int x) {
    ::usleep(300);
    return 2 * x;
}

/// Counts its copies that live, on threads.
struct tracked {
    static inline std::atomic<int> alive{0};
    static inline std::atomic<int> most{0};
    static void born() {
        const int n = ++alive;
        int m = most.load();
        while (n > m && !most.compare_exchange_weak(m, n)) {}
    }

    int value = 0;
    explicit tracked(int v = 0) : value{v} { born(); }
    tracked(const tracked& o) : value{o.value} { born(); }
    tracked(tracked&& o) noexcept : value{o.value} { born(); }
    tracked& operator=(const tracked&) = default;
    tracked& operator=(tracked&&) = default;
    ~tracked() { --alive; }
};

/// Throws when it is read by a worker.
struct unreadable {
    int value = 0;
    auto members() {
        if (coproc::detail::in_worker_process() && value >= 0) throw std::out_of_range{"perished"};
        return std::tie(value);
    }
};

/// Throws when the parent writes it.
struct unwritable {
    int value = 0;
    auto members() {
        if (!coproc::detail::in_worker_process() && value == 13)
            throw std::out_of_range{"perished"};
        return std::tie(value);
    }
};

/// Asks how the pool is while it is written.
struct inquisitive {
    static inline coproc::pool* pool = nullptr;
    static inline std::uint64_t heard = 0;
    int value = 0;
    auto members() {
        if (!coproc::detail::in_worker_process() && pool != nullptr)
            heard += pool->stats().workers_started;
        return std::tie(value);
    }
};

/// Throws when the parent reads it back.
struct unreadable_result {
    int value = 0;
    struct after {
        int value = 0;
        auto members() {
            if (!coproc::detail::in_worker_process()) throw std::out_of_range{"perished"};
            return std::tie(value);
        }
    } last;
    auto members() { return std::tie(value, last); }
};

} // namespace

TEST_CASE("imap reads its input as it needs it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const bool ordered = GENERATE(true, false);
    coproc::pool pool{on(backend)};
    std::atomic<int> read{0};
    auto items = ordered ? pool.imap(&slow_twice, counted_input(read))
                         : pool.imap_unordered(&slow_twice, counted_input(read));
    const int at_first = read;
    CHECK(at_first > 0);
    CHECK(at_first <= 100);
    REQUIRE(eventually([&] { return pool.stats().idle == 2; })); // all that was read is done
    CHECK(read == at_first); // and nothing more is read until somebody asks
    int taken = 0;
    for (const int x : items) {
        static_cast<void>(x);
        CHECK(read - taken <= 4200);
        if (++taken == 1000) break;
    }
    items = {};
    const int at_last = read;
    CHECK(ends(pool));
    CHECK(read == at_last);
}

TEST_CASE("an endless input of big items is never far ahead") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto b = board::make();
    std::atomic<int> read{0};
    // The consumer takes nothing while the tasks run: the window stays as it is.
    auto items = pool.imap(coproc::bind_front(
                               [](const board& c, int x) {
                                   await_cell(c, 0);
                                   return x;
                               },
                               b),
                           counted_input(read));
    CHECK(read <= 16);
    b[0] = 1;
    for (int i = 0; i < 100; ++i)
        CHECK(items.next(patience) == i);
    items = {};
    CHECK(ends(pool));
}

TEST_CASE("a stream dropped half-way releases its producer, and close and join do not hang") {
    const auto backend = each_backend();
    CAPTURE(backend);
    const bool ordered = GENERATE(true, false);
    for (const int taken : {0, 1, 5, 500}) {
        CAPTURE(taken);
        coproc::pool pool{on(backend)};
        std::atomic<int> read{0};
        {
            auto items = ordered ? pool.imap(&slow_twice, counted_input(read))
                                 : pool.imap_unordered(&slow_twice, counted_input(read));
            for (int i = 0; i < taken; ++i)
                CHECK(items.next(patience).has_value());
        }
        CHECK(pool.apply_async(&twice, 2).get(patience) == 4);
        pool.close();
        CHECK(pool.join(patience));
    }
}

TEST_CASE("a join ends the streams that the joining thread does not read") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::atomic<int> read{0};
    auto items = pool.imap(&slow_twice, counted_input(read));
    CHECK(items.next(patience) == 0);
    pool.close();
    CHECK(pool.join(patience));
    // What was read is done; that there was more is not hidden.
    int next = 1;
    const auto read_all = [&] {
        while (const auto x = items.next(patience))
            CHECK(*x == 2 * next++);
    };
    CHECK_THROWS_AS(read_all(), coproc::cancelled_error);
    CHECK(next == read);
    CHECK(items.next(patience) == std::nullopt);
}

TEST_CASE("a stream that another thread reads is finished before a closed pool ends") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    std::vector<int> seen;
    auto items = pool.imap(&slow_twice, std::views::iota(0, 300));
    gate reads;
    std::thread reader{[&] {
        while (const auto x = items.next(patience)) {
            seen.push_back(*x);
            reads.set();
        }
    }};
    CHECK(reads.wait());
    pool.close();
    CHECK(pool.join(patience));
    reader.join();
    CHECK(seen.size() == 300);
}

TEST_CASE(
    "an input that throws on an item: what stands before it is delivered, then the exception") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    for (const int bad : {0, 1, 7, 40, 99}) {
        CAPTURE(bad);
        {
            auto items = failure_of([&] {
                auto s = pool.imap(&slow_twice, failing_input(100, bad));
                for (int i = 0; i < bad; ++i)
                    if (s.next(patience) != 2 * i)
                        throw std::logic_error{"not the result that was due"};
                const auto error = failure_of([&] { static_cast<void>(s.next(patience)); });
                if (s.next(patience)) throw std::logic_error{"it goes on after its end"};
                std::rethrow_exception(error);
            });
            CHECK(check_death(items, way::error) == "");
        }
        {
            auto items = failure_of([&] {
                auto s = pool.imap_unordered(&slow_twice, failing_input(100, bad));
                std::vector<int> seen(static_cast<std::size_t>(bad));
                for (int i = 0; i < bad; ++i)
                    ++seen.at(static_cast<std::size_t>(s.next(patience).value() / 2));
                const auto error = failure_of([&] { static_cast<void>(s.next(patience)); });
                if (!std::ranges::all_of(seen, [](int n) { return n == 1; }))
                    throw std::logic_error{"not each result once"};
                if (s.next(patience)) throw std::logic_error{"it goes on after its end"};
                std::rethrow_exception(error);
            });
            CHECK(check_death(items, way::error) == "");
        }
        CHECK(check_death(failure_of([&] { pool.map(&slow_twice, failing_input(100, bad)); }),
                          way::error) == "");
        CHECK(check_death(failure_of([&] { pool.map_async(&slow_twice, failing_input(100, bad)); }),
                          way::error) == "");
        CHECK(pool.apply_async(&twice, bad).get(patience) == 2 * bad);
    }
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("a function that throws on an item: a stream delivers what stands before it") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const auto picky = [](int x) {
        if (x == 37) throw std::out_of_range{"perished"};
        return x;
    };
    auto items = pool.imap(picky, std::views::iota(0));
    for (int i = 0; i < 37; ++i)
        CHECK(items.next(patience) == i);
    CHECK(check_death(failure_of([&] { static_cast<void>(items.next(patience)); }), way::error) ==
          "");
    CHECK(items.next(patience) == std::nullopt);
    auto unordered = pool.imap_unordered(picky, std::views::iota(0, 100));
    int n = 0;
    const auto error = failure_of([&] {
        while (unordered.next(patience))
            ++n;
    });
    CHECK(n >= 37);
    CHECK(check_death(error, way::error) == "");
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("empty inputs complete") {
    const auto backend = each_backend();
    CAPTURE(backend);
    coproc::pool pool{on(backend)};
    const std::vector<int> none;
    CHECK(pool.map(&twice, none).empty());
    CHECK(pool.map_async(&twice, none).get(patience).empty());
    CHECK(pool.map_async(&twice, std::views::empty<int>).get(patience).empty());
    CHECK(pool.starmap([](int x, int y) { return x + y; }, std::vector<std::tuple<int, int>>{})
              .empty());
    pool.map([](int) {}, none);
    CHECK(pool.imap(&twice, none).next(patience) == std::nullopt);
    CHECK(pool.imap_unordered(&twice, none).next(patience) == std::nullopt);
    for (const int x : pool.imap(&twice, std::views::iota(0, 0)))
        FAIL_CHECK("a result " << x << " of nothing");
    CHECK(ends(pool));
}

TEST_CASE("arguments, callables and results are let go as soon as they are used") {
    coproc::dummy::pool pool{2};
    {
        tracked::most = 0;
        const auto b = board::make();
        auto h = pool.apply_async([b](tracked t) { return t.value; }, tracked{4});
        CHECK(h.get(patience) == 4);
        CHECK(eventually([] { return tracked::alive == 0; })); // though the handle is still here
    }
    {
        auto h = pool.apply_async([t = tracked{5}] { return t.value; });
        CHECK(h.get(patience) == 5);
        CHECK(eventually([] { return tracked::alive == 0; }));
    }
    {
        // The items of a map do not live until its end.
        const auto b = board::make();
        std::vector<tracked> inputs;
        for (int i = 0; i < 100; ++i)
            inputs.emplace_back(i);
        auto h = pool.with({.chunk_size = 1})
                     .map_async(
                         [b](const tracked& t) {
                             if (t.value == 99) await_cell(b, 0);
                             return t.value;
                         },
                         std::move(inputs));
        inputs = {};
        CHECK(eventually([] { return tracked::alive <= 1; }));
        CHECK(tracked::alive == 1); // the one that runs
        b[0] = 1;
        CHECK(h.get(patience).size() == 100);
        CHECK(tracked::alive == 0);
    }
    {
        // Nor do those of a stream.
        tracked::most = 0;
        int n = 0;
        for (const tracked& t : pool.imap(
                 [](const tracked& x) {
                     ::usleep(100);
                     return tracked{x.value};
                 },
                 std::views::iota(0, 500) |
                     std::views::transform([](int x) { return tracked{x}; })))
            CHECK(t.value == n++);
        CHECK(n == 500);
        CHECK(tracked::alive == 0);
    }
    {
        // A failed one too.
        auto h = pool.apply_async(
            [](tracked t) -> int { throw std::out_of_range{std::to_string(t.value)}; }, tracked{1});
        CHECK(failure_of(h));
        CHECK(eventually([] { return tracked::alive == 0; }));
        // And what never runs.
        const auto b = board::make();
        auto holders = pool.map_async([b](int) { await_cell(b, 0); }, std::vector{1, 2});
        auto dropped = pool.apply_async([](const tracked& t) { return t.value; }, tracked{2});
        CHECK(dropped.cancel());
        dropped = {};
        CHECK(eventually([] { return tracked::alive == 0; }));
        b[0] = 1;
        holders.get(patience);
    }
    pool.close();
    CHECK(pool.join(patience));
}

TEST_CASE("big arguments and results do not stay, neither here nor in the workers") {
    if (sanitized) return; // they keep what is freed
    coproc::pool pool{on("process", 1)};
    const auto resident = [] { return coproc::detail::os::resident_bytes(); };
    const auto mb = [](std::size_t n) { return n << 20; };
    CHECK(pool.apply([](const std::string& s) { return s; }, std::string(mb(8), 'x')).size() ==
          mb(8));
    const auto here = resident();
    const auto there = pool.apply(resident);
    for (int i = 0; i < 8; ++i)
        CHECK(pool.apply([](std::string s) { return s + "!"; }, std::string(mb(64), 'x')).size() ==
              mb(64) + 1);
    // A worker gives it back in quiet moments, such as between these questions.
    std::size_t now = 0;
    CHECK(eventually([&] {
        ::usleep(1'200'000);
        now = pool.apply(resident);
        return now < there + mb(100);
    }));
    INFO("the worker had " << (there >> 20) << " MB, and has " << (now >> 20));
    CHECK(eventually([&] { return resident() < here + mb(100); }));
    INFO("here it was " << (here >> 20) << " MB, and is " << (resident() >> 20));
    CHECK(ends(pool));
}

TEST_CASE("a worker keeps the memory of a big argument no longer than it is of use") {
    if (sanitized) return; // they keep what is freed
    const bool busy = GENERATE(false, true);
    CAPTURE(busy);
    coproc::pool pool{on("process", 1)};
    constexpr std::size_t mb = std::size_t{1} << 20;
    using bytes = std::vector<std::uint8_t>;
    const auto resident = [] { return coproc::detail::os::resident_bytes(); };
    const auto before = pool.apply(resident);
    // Values of several sizes, by value and by reference, and what comes back of them.
    for (const std::size_t size : {64 * mb, 40 * mb, 64 * mb + 1, 5 * mb, 64 * mb}) {
        const bytes sent(size, static_cast<std::uint8_t>(size % 251));
        CHECK(pool.apply([](bytes b) { return b; }, sent) == sent);
        CHECK(pool.apply(
                  [](const bytes& b) { return b.size() + b.front() + b[b.size() / 2] + b.back(); },
                  sent) == size + 3U * sent.front());
    }
    CHECK(eventually([&] {
        ::usleep(busy ? 1'000 : 1'200'000);
        return pool.apply(resident) < before + 32 * mb;
    }));
    CHECK(ends(pool));
}

TEST_CASE("the parent gives the memory of big arguments back once no more of them come") {
    const bool busy = GENERATE(false, true);
    CAPTURE(busy);
    coproc::pool pool{on("process", 1)};
    const auto channels = [] {
        std::size_t bytes = 0;
        for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
            std::error_code ec;
            const auto target = std::filesystem::read_symlink(entry.path(), ec).string();
            struct stat status{};
            if (target.find("coproc-channel") != std::string::npos &&
                ::stat(entry.path().c_str(), &status) == 0)
                bytes += static_cast<std::size_t>(status.st_blocks) * 512;
        }
        return bytes;
    };
    const auto size = [](const std::string& s) { return s.size(); };
    constexpr std::size_t mb = std::size_t{1} << 20;
    CHECK(pool.apply(size, std::string(64 * mb, 'x')) == 64 * mb);
    CHECK(channels() > 0);
    // Also while small calls go on.
    CHECK(eventually(
        [&] { return (!busy || pool.apply(size, "small") == 5) && channels() < 12 * mb; }));
    CHECK(pool.apply(size, std::string(64 * mb, 'y')) == 64 * mb);
    CHECK(eventually(
        [&] { return (!busy || pool.apply(size, "small") == 5) && channels() < 12 * mb; }));
    CHECK(ends(pool));
}

TEST_CASE("a map's big items and results are not all in flight at once") {
    if (sanitized) return;
    coproc::pool pool{on("process", 2)};
    const auto n = pool.map([](const std::string& s) { return s.size(); },
                            std::views::iota(0, 100) | std::views::transform([](int) {
                                return std::string(std::size_t{1} << 20, 'x');
                            }));
    CHECK(n.size() == 100);
    for (const auto rss :
         pool.map([](int) { return coproc::detail::os::resident_bytes(); }, {1, 2, 3, 4}))
        CHECK(rss < (std::size_t{100} << 20));
    CHECK(ends(pool));
}

TEST_CASE("an argument that cannot be decoded is that task's error, and nothing else's") {
    coproc::pool pool{on("process")};
    std::vector<coproc::async_result<int>> good;
    std::vector<coproc::async_result<int>> bad;
    for (int i = 0; i < 20; ++i) {
        good.push_back(pool.apply_async(&twice, i));
        bad.push_back(pool.apply_async([](unreadable u) { return u.value; }, unreadable{}));
    }
    for (int i = 0; i < 20; ++i) {
        CHECK(good[static_cast<std::size_t>(i)].get(patience) == 2 * i);
        CHECK(check_death(failure_of(bad[static_cast<std::size_t>(i)]), way::error) == "");
    }
    auto map = pool.map_async([](unreadable u) { return u.value; }, std::vector<unreadable>(10));
    CHECK(check_death(failure_of(map), way::error) == "");
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("an argument that cannot be encoded is that task's error, and nothing else's") {
    coproc::pool pool{on("process")};
    const auto value = [](unwritable u) { return u.value; };
    auto before = pool.apply_async(&slow_twice, 1);
    auto bad = pool.apply_async(value, unwritable{13});
    auto after = pool.apply_async(value, unwritable{12});
    CHECK(check_death(failure_of(bad), way::error) == "");
    CHECK(before.get(patience) == 2);
    CHECK(after.get(patience) == 12);
    // Of a map it is the item's error, wherever in a chunk it stands.
    for (const std::size_t chunk : {0U, 1U, 5U, 20U}) {
        std::vector<unwritable> inputs(20);
        for (int i = 0; i < 20; ++i)
            inputs[static_cast<std::size_t>(i)].value = i;
        auto map = pool.with({.chunk_size = chunk}).map_async(value, inputs);
        const auto error = failure_of(map);
        CHECK(check_death(error, way::error) == "");
        try {
            std::rethrow_exception(error);
        } catch (const coproc::task_failure& f) {
            CHECK(f.index() == 13);
        } catch (...) {
            FAIL_CHECK("it does not say which item");
        }
        auto items = pool.with({.chunk_size = chunk}).imap(value, inputs);
        for (int i = 0; i < 13; ++i)
            CHECK(items.next(patience) == i);
        CHECK(check_death(failure_of([&] { static_cast<void>(items.next(patience)); }),
                          way::error) == "");
    }
    CHECK(ailment(pool) == "");
    CHECK(ends(pool));
}

TEST_CASE("however many in a row cannot be encoded, each fails by itself") {
    coproc::pool pool{on("process", 1)};
    const signs files;
    auto blocker = pool.apply_async(hold, files.path("entered"), files.path("leave"));
    REQUIRE(await_sign(files.path("entered")));
    std::vector<coproc::async_result<int>> bad;
    const int count = sanitized ? 3000 : 50'000;
    for (int i = 0; i != count; ++i)
        bad.push_back(pool.apply_async([](unwritable u) { return u.value; }, unwritable{13}));
    auto good = pool.apply_async(&twice, 2);
    raise_sign(files.path("leave"));
    CHECK(good.get(patience) == 4);
    int failed = 0;
    for (auto& each : bad)
        failed += check_death(failure_of(each), way::error).empty() ? 1 : 0;
    CHECK(failed == count);
    blocker.wait();
    CHECK(ends(pool));
}

TEST_CASE("a codec may ask how the pool is") {
    coproc::pool pool{on("process", 1)};
    CHECK(pool.apply(&twice, 1) == 2);
    inquisitive::pool = &pool;
    std::vector<coproc::async_result<int>> calls;
    for (int i = 0; i != 100; ++i)
        calls.push_back(pool.apply_async([](inquisitive q) { return q.value; }, inquisitive{i}));
    for (int i = 0; i != 100; ++i)
        CHECK(calls[static_cast<std::size_t>(i)].get(patience) == i);
    inquisitive::pool = nullptr;
    CHECK(inquisitive::heard >= 100);
    CHECK(ends(pool));
}

TEST_CASE("a result that cannot be decoded is that task's error, and nothing else's") {
    coproc::pool pool{on("process")};
    auto before = pool.apply_async(&slow_twice, 1);
    auto bad = pool.apply_async([](int x) { return unreadable_result{x, {}}; }, 3);
    auto after = pool.apply_async(&twice, 2);
    CHECK(check_death(failure_of(bad), way::error) == "");
    CHECK(before.get(patience) == 2);
    CHECK(after.get(patience) == 4);
    auto map =
        pool.map_async([](int x) { return unreadable_result{x, {}}; }, std::views::iota(0, 20));
    CHECK(check_death(failure_of(map), way::error) == "");
    CHECK(ailment(pool) == "");
    CHECK(pool.stats().workers_lost == 0);
    CHECK(ends(pool));
}

TEST_CASE("a result of more than 4 GiB arrives whole where memory allows") {
    std::ifstream info{"/proc/meminfo"};
    std::size_t available = 0;
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("MemAvailable:")) available = std::stoull(line.substr(13)) << 10;
    constexpr std::size_t size = (std::size_t{1} << 32) + 5;
    if (sanitized || std::getenv("COPROC_TEST_HUGE") == nullptr || available < 4 * size)
        return; // some seconds, 13 GB
    coproc::pool pool{on("process", 1)};
    const auto text = pool.apply([](std::size_t n) { return std::string(n, 'x') + "y"; }, size);
    CHECK(text.size() == size + 1);
    CHECK(text.back() == 'y');
    CHECK(text[size - 1] == 'x');
    CHECK(ends(pool));
}

TEST_CASE("ranges of pairs of iterators arrive as vectors") {
    coproc::pool pool{on("process", 1)};
    const std::vector<int> v{1, 2, 3};
    const auto sum = [](const std::vector<int>& x) {
        return std::accumulate(x.begin(), x.end(), 0);
    };
    CHECK(pool.apply(sum, std::ranges::subrange(v)) == 6);
    const auto length = [](const std::vector<char>& x) { return x.size(); };
    CHECK(pool.map(length, std::string_view{"a bcd"} | std::views::split(' ')) ==
          std::vector<std::size_t>{1, 3});
    const auto first = [](std::size_t n) {
        static const std::vector<int> all{1, 2, 3};
        return std::ranges::subrange(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n));
    };
    CHECK(pool.apply(first, std::size_t{2}) == std::vector<int>{1, 2});
}

TEST_CASE("in the child of a fork, what it inherited leaves the parent's tasks alone") {
    coproc::pool pool{on("process", 2)};
    const auto inputs = std::views::iota(0, 200);
    auto stream = std::make_unique<coproc::stream<int>>(pool.imap(slow_twice, inputs));
    auto handle = pool.apply_async(slow_twice, 7);
    int next = 0;
    for (; next < 20; ++next)
        REQUIRE(stream->next(patience) == 2 * next);
    for (int i = 0; i < 5; ++i) {
        forked child{[&] {
            if (handle.cancel()) ::_exit(1);
            try {
                static_cast<void>(stream->next(1ms));
                ::_exit(2);
            } catch (const std::logic_error&) {}
            stream.reset();
            pool.close();
        }};
        CHECK(child.wait() == 0);
        REQUIRE(stream->next(patience) == 2 * next++);
    }
    for (; next < 200; ++next)
        REQUIRE(stream->next(patience) == 2 * next);
    CHECK(handle.get(patience) == 14);
}

namespace {

int send_and_perish(const coproc::connection<int>& end) {
    end.send(1);
    ::raise(SIGKILL);
    return 0;
}
int send_and_throw(const coproc::connection<int>& end) {
    end.send(1);
    throw std::runtime_error{"enough"};
}
int send_and_linger(const coproc::connection<int>& end) {
    end.send(1);
    for (;;)
        ::pause();
}
int hold_and_linger(const coproc::connection<int>& /*bound*/, const coproc::connection<int>& end) {
    return send_and_linger(end);
}

/// The end itself as the only item: nobody else has it then.
std::vector<coproc::connection<int>> only_item(coproc::connection<int>& end) {
    std::vector<coproc::connection<int>> items;
    items.push_back(std::move(end));
    end.close();
    return items;
}

} // namespace

TEST_CASE("a task that fails takes its arguments with it, though its handle is kept") {
    coproc::pool pool{on("process", 1)};
    auto [here, there] = coproc::pipe<int>();
    const auto function = GENERATE(&send_and_perish, &send_and_throw, &send_and_linger);
    const auto timely = pool.with({.timeout = 300ms});
    const auto check = [&end = here](auto result) {
        CHECK(end.recv(patience) == 1);
        result.wait();
        CHECK_FALSE(result.successful());
        CHECK_THROWS_AS(end.recv(patience), coproc::end_of_stream_error);
        CHECK_THROWS(result.get());
    };
    SECTION("a call") {
        auto result = timely.apply_async(function, std::move(there));
        there.close();
        check(std::move(result));
    }
    SECTION("an item") { check(timely.map_async(function, only_item(there))); }
}

TEST_CASE("a task that is cancelled or terminated takes its arguments with it") {
    coproc::pool pool{on("process", 1)};
    auto [here, there] = coproc::pipe<int>();
    const bool terminated = GENERATE(false, true);
    const auto check = [&, &end = here](auto result) {
        CHECK(end.recv(patience) == 1);
        if (terminated)
            pool.terminate();
        else
            CHECK(result.cancel());
        CHECK_THROWS_AS(end.recv(patience), coproc::end_of_stream_error);
        CHECK_THROWS_AS(result.get(patience), coproc::cancelled_error);
    };
    SECTION("a call") {
        auto result = pool.apply_async(&send_and_linger, std::move(there));
        there.close();
        check(std::move(result));
    }
    SECTION("an item and what the function has bound") {
        auto [other, bound] = coproc::pipe<int>();
        auto result = pool.map_async(coproc::bind_front(&hold_and_linger, std::move(bound)),
                                     only_item(there));
        bound.close();
        check(std::move(result));
        CHECK_THROWS_AS(other.recv(patience), coproc::end_of_stream_error);
    }
}

TEST_CASE("a stream that is dropped takes its items and its function with it") {
    coproc::pool pool{on("process", 1)};
    auto [here, there] = coproc::pipe<int>();
    auto [other, bound] = coproc::pipe<int>();
    {
        auto stream =
            pool.imap(coproc::bind_front(&hold_and_linger, std::move(bound)), only_item(there));
        bound.close();
        CHECK(here.recv(patience) == 1);
    }
    CHECK_THROWS_AS(here.recv(patience), coproc::end_of_stream_error);
    CHECK_THROWS_AS(other.recv(patience), coproc::end_of_stream_error);
}

namespace {

/// Has something to hand in when it goes; in the parent only.
struct parting {
    std::shared_ptr<std::function<void()>> last_words{};

    parting() = default;
    explicit parting(std::function<void()> f)
        : last_words{new std::function<void()>{std::move(f)}, [](auto* words) {
                         (*words)();
                         delete words;
                     }} {}
    auto members() { return std::tie(); }
};
int part(const parting&) { return 7; }

} // namespace

TEST_CASE("the destructor of an argument may submit to its pool") {
    coproc::pool pool{on("process", 1)};
    std::atomic<int> parted{0};
    const auto words = [&] {
        pool.apply_async([](int x) { return x; }, 1).then([&](int x) { parted += x; });
    };
    SECTION("a call") { CHECK(pool.apply(&part, parting{words}) == 7); }
    SECTION("a map") {
        std::vector<parting> all;
        all.emplace_back(words);
        CHECK(pool.map(&part, std::move(all)) == std::vector{7});
    }
    SECTION("a stream") {
        std::vector<parting> all;
        all.emplace_back(words);
        auto stream = pool.imap(&part, std::move(all));
        CHECK(stream.next(patience) == 7);
        while (stream.next(patience)) {}
    }
    CHECK(eventually([&] { return parted == 1; }));
}
