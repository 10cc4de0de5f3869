// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// The objects in shared memory under all nouns: what is left of a party that ends, whatever ends
// it.

#include <shared/object.hpp>

#include "support/forked.hpp"
#include "support/pools.hpp"
#include "support/sanitized.hpp"

#include <coproc/coproc.hpp>
#include <os/memfd.hpp>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <random>
#include <shared/keeper.hpp>
#include <shared/redo.hpp>
#include <shared/wait_service.hpp>
#include <sync/mutex_object.hpp>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace coproc_test;
namespace os = coproc::detail::os;
namespace shared = coproc::detail::shared;

namespace {

[[noreturn]] void die() {
    ::kill(::getpid(), SIGKILL);
    for (;;)
        ::pause();
}

/// A noun that counts the deaths that it is told of.
class probe : public shared::object {
public:
    probe() : object{shared::create_tag{.what = shared::kind::memory, .type = 7}} {}
    explicit probe(os::unique_fd memory)
        : object{shared::adopt_tag{std::move(memory), shared::kind::memory, 7}} {}

    struct words {
        shared::word64 a;
        shared::word64 b;
        shared::word32 c;
        shared::word32 repairs;
        os::futex_word part; // a guard of the noun's own
    };
    [[nodiscard]] words& state() const noexcept { return object::state<words>(); }

protected:
    void repair(shared::party& dead) noexcept override {
        if (dead.held[0].load() != 0) state().repairs.fetch_add(1);
        dead.held[0].store(0);
        release_guard(state().part, dead);
    }
};

bool dies(forked child) { return child.wait() == -SIGKILL; }

os::unique_fd copy_of(int fd) { return os::unique_fd{::fcntl(fd, F_DUPFD_CLOEXEC, 0)}; }

} // namespace

// --- the redo log --------------------------------------------------------------------------------

TEST_CASE("redo: who finds a committed note carries it out, and what was not committed never was") {
    const auto object = shared::create<probe>();
    const bool committed = GENERATE(true, false);
    const unsigned carried_out = GENERATE(0u, 1u, 3u);
    CAPTURE(committed, carried_out);
    REQUIRE(dies(forked{[&] {
        const shared::object::guard held{*object};
        auto& w = object->state();
        auto& log = object->head().redo;
        const auto place = [&](auto& word) {
            return static_cast<std::uint32_t>(reinterpret_cast<std::byte*>(&word) - object->base());
        };
        log.entries[0] = {place(w.a), 8, 0x1'0000'0001};
        log.entries[1] = {place(w.b), 8, 2};
        log.entries[2] = {place(w.c), 4, 3};
        if (committed) {
            log.count.store(3);
            if (carried_out >= 1) w.a.store(0x1'0000'0001);
            if (carried_out >= 3) {
                w.b.store(2);
                w.c.store(3);
            }
        }
        die();
    }}));
    const shared::object::guard held{*object};
    const auto& w = object->state();
    CHECK(w.a.load() == (committed ? 0x1'0000'0001 : 0));
    CHECK(w.b.load() == (committed ? 2 : 0));
    CHECK(w.c.load() == (committed ? 3 : 0));
    CHECK(object->head().redo.count.load() == 0);
}

TEST_CASE("redo: a transaction that is killed at random is done or not done") {
    std::mt19937 random{5}; // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    const auto object = shared::create<probe>();
    for (int i = 0; i != 200; ++i) {
        forked worker{[&] {
            auto& w = object->state();
            for (;;) {
                const shared::object::guard held{*object};
                const auto next = w.a.load() + 1;
                shared::transaction change{object->base()};
                change.set(w.a, next);
                change.set(w.b, next);
                change.set(w.c, static_cast<std::uint32_t>(next));
                change.commit();
            }
        }};
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 3000});
        worker.kill();
        const shared::object::guard held{*object};
        const auto& w = object->state();
        REQUIRE(w.a.load() == w.b.load());
        REQUIRE(static_cast<std::uint32_t>(w.a.load()) == w.c.load());
    }
    CHECK(object->state().a.load() > 0);
}

// --- presence ------------------------------------------------------------------------------------

TEST_CASE("keeper: the kernel tells of a party's end, whatever ended it") {
    const auto object = shared::create<probe>();
    const auto mine = object->self();
    const int way = GENERATE(0, 1, 2, 3, 4);
    CAPTURE(way);
    forked child{[&] {
        object->me().held[0].store(1);
        std::signal(SIGABRT, SIG_DFL); // not Catch2's
        std::signal(SIGTERM, SIG_DFL);
        switch (way) {
        case 0:
            die();
        case 1:
            ::_exit(0);
        case 2:
            ::execl("/bin/true", "true", nullptr);
            ::_exit(1);
        case 3:
            std::abort();
        default:
            ::raise(SIGTERM);
        }
    }};
    child.wait();
    const auto& party = object->party_at(mine == 0 ? 1 : 0);
    CHECK(shared::is_present(party));
    CHECK(shared::is_dead(party));
    CHECK_FALSE(shared::is_dead(object->party_at(mine)));
    object->bury_dead();
    CHECK(object->state().repairs.load() == 1);
    CHECK_FALSE(shared::is_present(party));
    object->bury();
    CHECK(object->state().repairs.load() == 1);
}

TEST_CASE("keeper: who runs on is not dead") {
    const auto object = shared::create<probe>();
    const coproc::event here;
    forked child{[&] {
        object->self();
        here.set();
        // Its first thread may end; the process has another.
        std::thread{[] {
            for (;;)
                ::pause();
        }}.detach();
        ::syscall(SYS_exit, 0);
    }};
    REQUIRE(here.wait(patience));
    std::this_thread::yield();
    object->bury_dead();
    CHECK(shared::is_present(object->party_at(0)));
    CHECK_FALSE(shared::is_dead(object->party_at(0)));
    child.kill();
    CHECK(shared::is_dead(object->party_at(0)));
}

TEST_CASE("keeper: one process can take part in thousands of objects, and leave them") {
    std::vector<std::shared_ptr<probe>> all;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::size_t n = std::min<std::size_t>(limit.rlim_cur - 100, 4500);
    for (std::size_t i = 0; i != n; ++i) {
        all.push_back(shared::create<probe>());
        all.back()->me().held[0].store(1);
    }
    forked child{[&] {
        for (const auto& one : all)
            one->me().held[0].store(1);
        die();
    }};
    CHECK(child.wait() == -SIGKILL);
    for (std::size_t i = 0; i < n; i += 2) // in any order
        all[i].reset();
    for (std::size_t i = 1; i < n; i += 2) {
        all[i]->bury_dead();
        REQUIRE(all[i]->state().repairs.load() == 1);
    }
}

TEST_CASE("object: the dead make room for others, also where nobody waits") {
    const auto object = shared::create<probe>();
    for (int i = 0; i != 40; ++i)
        REQUIRE(dies(forked{[&] {
            object->me().held[0].store(1);
            die();
        }}));
    CHECK(object->head().used.load() <= 4);
    object->bury_dead();
    CHECK(object->state().repairs.load() == 40);
}

TEST_CASE("object: leaving gives back what was held") {
    auto object = shared::create<probe>();
    const auto memory = copy_of(object->descriptor());
    forked child{[&] {
        auto other = shared::adopt<probe>(copy_of(memory.get()));
        other->me().held[0].store(1);
        ::_exit(other == object ? 0 : 1); // the copy of the parent's is the same one
    }};
    CHECK(child.wait() == 0);
    object->me().held[0].store(1);
    object.reset();
    const auto again = shared::adopt<probe>(copy_of(memory.get()));
    again->bury_dead();
    CHECK(again->state().repairs.load() == 2);
    for (unsigned i = 0; i != 4; ++i)
        if (i != again->self()) CHECK_FALSE(shared::is_present(again->party_at(i)));
}

TEST_CASE("object: a guard whose holder was killed is taken over by one of those who wait") {
    const auto object = shared::create<probe>();
    os::futex_word& word = GENERATE(true, false) ? object->head().guard : object->state().part;
    const coproc::event held;
    forked holder{[&] {
        const shared::object::guard own{*object, word};
        held.set();
        for (;;)
            ::pause();
    }};
    REQUIRE(held.wait(patience));
    std::vector<std::thread> others;
    std::atomic<int> through{0};
    for (int i = 0; i != 4; ++i)
        others.emplace_back([&] {
            for (int k = 0; k != 10; ++k) {
                const shared::object::guard own{*object, word};
                ++through;
            }
        });
    std::this_thread::sleep_for(5ms);
    CHECK(through == 0);
    holder.kill();
    for (auto& one : others)
        one.join();
    CHECK(through == 40);
}

TEST_CASE("object: a transaction under both guards is carried out before either is free") {
    const auto object = shared::create<probe>();
    CHECK(dies(forked{[&] {
        const shared::object::guard own{*object, object->state().part};
        const shared::object::guard held{*object};
        shared::transaction change{object->base()};
        change.set(object->state().a, 1);
        change.set(object->state().b, 2);
        change.commit();
        object->state().b.store(0); // as if it had died half-way
        object->head().redo.count.store(2);
        die();
    }}));
    const shared::object::guard own{*object, object->state().part};
    CHECK(object->state().a.load() == 1);
    CHECK(object->state().b.load() == 2);
}

// --- memory that arrives -------------------------------------------------------------------------

TEST_CASE("object: the same memory is one object, whoever receives it when") {
    const auto object = shared::create<probe>();
    CHECK(shared::adopt<probe>(copy_of(object->descriptor())) == object);

    for (int round = 0; round != 50; ++round) {
        const auto memory = [] {
            const auto gone = shared::create<probe>();
            return copy_of(gone->descriptor());
        }();
        std::array<std::shared_ptr<probe>, 6> got;
        std::vector<std::thread> threads;
        gate go;
        for (auto& one : got)
            threads.emplace_back([&] {
                while (!go.is_set()) {}
                one = shared::adopt<probe>(copy_of(memory.get()));
            });
        go.set();
        for (auto& thread : threads)
            thread.join();
        for (const auto& one : got)
            REQUIRE(one == got[0]);
        CHECK(shared::adopt<probe>(copy_of(memory.get())) == got[0]);
    }
}

TEST_CASE("object: what is something else is refused") {
    const auto adopt = [](os::unique_fd memory) {
        return thrown<coproc::serialization_error>(
            [&] { static_cast<void>(shared::adopt<probe>(std::move(memory))); });
    };
    CHECK(adopt(os::make_memfd("other", 4096)));
    CHECK(adopt(os::make_memfd("other", shared::extra_offset)));
    CHECK(adopt(os::unique_fd{::open("/dev/null", O_RDWR | O_CLOEXEC)}));
    CHECK(adopt(os::unique_fd{::memfd_create("could shrink", MFD_CLOEXEC | MFD_ALLOW_SEALING)}));
    const coproc::mutex mutex; // also while this process has it
    CHECK(adopt(copy_of(coproc::detail::handle_access::descriptor(mutex))));
    const auto object = shared::create<probe>();
    CHECK_THROWS_AS(coproc::detail::handle_access::adopt<coproc::mutex>(
                        copy_of(object->descriptor()).release()),
                    coproc::serialization_error);
}

// --- forks ---------------------------------------------------------------------------------------

TEST_CASE("object: the child of a fork is a party of its own") {
    const coproc::mutex mutex;
    const coproc::event tried;
    mutex.lock();
    forked child{[&] {
        int wrong = 0;
        if (mutex.try_lock()) wrong |= 1;
        try {
            mutex.unlock();
            wrong |= 2;
        } catch (const std::logic_error&) {
            // it is the parent's
        }
        tried.set();
        if (!mutex.try_lock_for(patience)) wrong |= 4;
        // And its own child again.
        forked grandchild{[&] {
            if (mutex.try_lock()) ::_exit(1);
        }};
        if (grandchild.wait() != 0) wrong |= 8;
        mutex.unlock();
        ::_exit(wrong);
    }};
    CHECK(tried.wait(patience));
    mutex.unlock();
    CHECK(child.wait() == 0);
    CHECK(mutex.try_lock());
    mutex.unlock();
}

TEST_CASE("object: a fork while other threads use objects") {
    // Their allocators do not see to their locks when a program with threads forks: the child
    // hangs.
    if (coproc_test::sanitized) return;
    const coproc::mutex mutex;
    const coproc::semaphore semaphore{2};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int i = 0; i != 2; ++i)
        threads.emplace_back([&] {
            while (!stop) {
                const std::scoped_lock lock{mutex};
                const auto permit = semaphore.permit();
                const coproc::event fresh;
                fresh.set();
            }
        });
    for (int i = 0; i != 100; ++i) {
        forked child{[&] {
            const coproc::event own;
            own.set();
            if (!mutex.try_lock_for(patience)) ::_exit(1);
            const auto permit = semaphore.try_permit_for(patience);
            mutex.unlock();
            ::_exit(permit ? 0 : 2);
        }};
        REQUIRE(child.wait() == 0);
    }
    stop = true;
    for (auto& thread : threads)
        thread.join();
    CHECK(eventually([&] {
        const auto one = semaphore.try_permit_for(0s);
        const auto two = semaphore.try_permit_for(0s);
        return one && two;
    }));
}

// --- waiting -------------------------------------------------------------------------------------

TEST_CASE("wait service: more words than one thread can sleep on") {
    constexpr std::size_t n = 400;
    std::vector<coproc::event> events(n);
    asio::io_context context;
    std::size_t done = 0;
    std::size_t cancelled = 0;
    std::vector<asio::cancellation_signal> signals(n);
    for (std::size_t i = 0; i != n; ++i)
        events[i].async_wait(asio::bind_cancellation_slot(
            signals[i].slot(), asio::bind_executor(context, [&](const std::exception_ptr& e) {
                e ? ++cancelled : ++done;
            })));
    for (std::size_t i = 0; i < n; i += 3)
        signals[i].emit(asio::cancellation_type::terminal);
    forked setter{[&] {
        for (const auto& event : events)
            event.set();
    }};
    CHECK(setter.wait() == 0);
    context.run_for(patience);
    CHECK(done + cancelled == n);
    CHECK(cancelled == (n + 2) / 3);
    // The threads are used again.
    for (auto& event : events) {
        event.clear();
        event.async_wait(asio::bind_executor(context, [&](const std::exception_ptr&) { ++done; }));
        event.set();
    }
    context.restart();
    context.run_for(patience);
    CHECK(done + cancelled == 2 * n);
}

namespace {

/// Makes a system call fail with EPERM, as filters in containers do.
bool forbid(unsigned call) {
    std::array<sock_filter, 4> rules{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), // the number
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    }};
    const sock_fprog program{static_cast<unsigned short>(rules.size()), rules.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::size_t waits_without_futex_waitv(coproc::event in, coproc::semaphore units) {
    if (!forbid(449)) return 0;
    constexpr std::size_t n = 20;
    asio::io_context context;
    std::size_t done = 0;
    const auto count = [&] {
        return asio::bind_executor(context,
                                   [&](const std::exception_ptr& e) { done += e ? 0 : 1; });
    };
    std::vector<coproc::event> own(n);
    for (std::size_t i = 0; i != n; ++i) {
        own[i].async_wait(count());
        units.async_acquire(count());
    }
    asio::cancellation_signal signal;
    units.async_acquire(asio::bind_cancellation_slot(
        signal.slot(),
        asio::bind_executor(context, [&](const std::exception_ptr& e) { done += e ? 1 : 0; })));
    in.set();
    signal.emit(asio::cancellation_type::terminal);
    for (const auto& event : own)
        event.set();
    context.run_for(patience);
    return done;
}

} // namespace

TEST_CASE("wait service: without futex_waitv each word has a thread") {
    coproc::pool pool{on("process", 1)};
    const coproc::event waits;
    const coproc::semaphore units{0};
    auto other = pool.apply_async(waits_without_futex_waitv, waits, units);
    REQUIRE(waits.wait(patience));
    units.release(20);
    CHECK(other.get(patience) == 41);
}

TEST_CASE("wait: a death is noticed without a descriptor to watch with") {
    const bool no_pidfds = GENERATE(true, false);
    CAPTURE(no_pidfds);
    const coproc::mutex mutex;
    const coproc::event locked;
    forked owner{[&] {
        mutex.lock();
        locked.set();
        for (;;)
            ::pause();
    }};
    REQUIRE(locked.wait(patience));
    const coproc::event waits;
    forked heir{[&] {
        if (no_pidfds) {
            if (!forbid(434)) ::_exit(3); // pidfd_open
        } else {
            const rlimit none{0, 0};
            ::setrlimit(RLIMIT_NOFILE, &none);
        }
        waits.set();
        try {
            mutex.lock();
            ::_exit(1);
        } catch (const coproc::owner_died_error&) {
            ::_exit(0);
        }
    }};
    REQUIRE(waits.wait(patience));
    std::this_thread::sleep_for(1ms);
    owner.kill();
    CHECK(heir.wait() == 0);
}

TEST_CASE("wait: a wake-up that went to one who died is passed on") {
    const coproc::semaphore units{0};
    for (int i = 0; i != 20; ++i) {
        const auto take = [&] { return forked{[&] { units.acquire(); }}; };
        auto first = take();
        auto second = take();
        units.release();
        first.kill();
        // The first has it, or the second.
        if (units.value() == 0) units.release();
        CHECK(second.wait() == 0);
        while (units.try_acquire()) {}
    }
}
