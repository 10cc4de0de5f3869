// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/detail/work_inbox.hpp>

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <thread>
#include <vector>

using namespace coproc_test;
using coproc::detail::work_inbox;
using answer = work_inbox::answer;

TEST_CASE("an inbox is first in, first out, also over several fetches") {
    work_inbox inbox;
    CHECK_FALSE(inbox.any_left());
    CHECK_FALSE(inbox.fetch());
    std::vector<fake_ptr> all;
    for (int i = 0; i < 5; ++i)
        all.push_back(fake_call());
    CHECK(inbox.leave(*all[0]) == answer::first);
    CHECK(inbox.leave(*all[1]) == answer::more);
    CHECK(inbox.leave(*all[2]) == answer::more);
    CHECK(inbox.any_left());
    CHECK(inbox.fetched() == 0);
    CHECK(inbox.fetch());
    CHECK_FALSE(inbox.any_left());
    CHECK(inbox.pop().get() == all[0].get());
    CHECK(inbox.leave(*all[3]) == answer::first);
    CHECK(inbox.leave(*all[4]) == answer::more);
    CHECK(inbox.fetch());
    CHECK(inbox.fetched() == 4);
    for (int i = 1; i < 5; ++i)
        CHECK(inbox.pop().get() == all[static_cast<std::size_t>(i)].get());
    CHECK_FALSE(inbox.fetch());
}

TEST_CASE("what is put back into an inbox comes first again") {
    work_inbox inbox;
    std::vector<fake_ptr> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(fake_call());
        inbox.leave(*all.back());
    }
    inbox.fetch();
    std::vector<coproc::detail::work*> taken;
    for (int i = 0; i < 3; ++i)
        taken.push_back(inbox.pop().detach());
    inbox.put_back(taken);
    CHECK(inbox.fetched() == 4);
    for (const auto& each : all)
        CHECK(inbox.pop().get() == each.get());
    CHECK(inbox.fetched() == 0);

    // Also when it is empty, and what is left later comes behind.
    const auto later = fake_call();
    inbox.leave(*later);
    taken.assign({coproc::detail::work_ptr{all[0].get()}.detach()});
    inbox.put_back(taken);
    inbox.fetch();
    CHECK(inbox.pop().get() == all[0].get());
    CHECK(inbox.pop().get() == later.get());
    for (const auto& each : all)
        CHECK(each->use_count() == 1);
}

TEST_CASE("an inbox that is shut gives what it has, and takes nothing more") {
    work_inbox inbox;
    const auto before = fake_call();
    const auto after = fake_call();
    inbox.leave(*before);
    inbox.shut();
    CHECK(inbox.leave(*after) == answer::shut);
    CHECK_FALSE(inbox.any_left());
    CHECK(inbox.fetch());
    CHECK(inbox.pop().get() == before.get());
    inbox.shut();
    CHECK_FALSE(inbox.fetch());
    CHECK(inbox.leave(*after) == answer::shut);
}

TEST_CASE("an inbox keeps what it holds alive, and lets go of it at its end") {
    const auto left = fake_call();
    const auto fetched = fake_call();
    {
        work_inbox inbox;
        inbox.leave(*fetched);
        inbox.fetch();
        inbox.leave(*left);
        CHECK(left->use_count() == 2);
        CHECK(fetched->use_count() == 2);
    }
    CHECK(left->use_count() == 1);
    CHECK(fetched->use_count() == 1);
}

TEST_CASE("an inbox takes from many threads while another one fetches") {
    constexpr int threads = 4;
    constexpr std::size_t each = 2000;
    work_inbox inbox;
    std::vector<std::vector<fake_ptr>> works(threads);
    for (auto& mine : works)
        for (std::size_t i = 0; i < each; ++i)
            mine.push_back(fake_call());
    std::vector<std::thread> leaving;
    for (auto& mine : works)
        leaving.emplace_back([&inbox, &mine] {
            for (const auto& w : mine)
                inbox.leave(*w);
        });
    std::vector<std::size_t> next(threads, 0);
    bool in_order = true;
    for (std::size_t n = 0; n < threads * each;) {
        if (!inbox.fetch()) {
            std::this_thread::yield();
            continue;
        }
        const auto w = inbox.pop();
        ++n;
        bool found = false; // each thread's own come in its order
        for (std::size_t t = 0; t < threads; ++t)
            if (next[t] < each && works[t][next[t]].get() == w.get()) {
                ++next[t];
                found = true;
                break;
            }
        in_order = in_order && found;
    }
    for (auto& t : leaving)
        t.join();
    CHECK(in_order);
    CHECK_FALSE(inbox.fetch());
}
