// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Random events against a dispatcher: whatever happens, every item ends exactly once, every work is
// finished exactly once, and a closed pool drains.

#include "framework/fake_work.hpp"
#include "support/catch.hpp"

#include <coproc/detail/dispatcher.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <vector>

using namespace coproc_test;
using namespace std::chrono_literals;
using coproc::detail::chunk;
using coproc::detail::chunk_outcome;
using coproc::detail::dispatcher;
using coproc::detail::dispatcher_limits;
using coproc::detail::effects;
using coproc::detail::failure_kind;
using coproc::detail::loss;
using coproc::detail::steady;
using coproc::detail::worker_index;

namespace {

/// Workers that do as the dice say, and books on what became of every item.
class model {
public:
    model(const dispatcher_limits& limits, unsigned seed)
        : limits_{limits}, random_{seed}, d_{limits}, workers_(limits.workers) {
        d_.start(out_);
        obey();
    }

    void step() {
        now_ += std::chrono::microseconds{below(300)};
        switch (below(12)) {
        case 0:
        case 1:
            submit();
            break;
        case 2:
            extend();
            break;
        case 3:
            if (below(4) == 0) cancel();
            break;
        case 4:
            pass_time();
            break;
        default:
            work_at(static_cast<worker_index>(below(limits_.workers)));
            break;
        }
        obey();
    }

    /// Ends all that is open; false if it does not come to an end.
    bool drain(bool by_force) {
        for (auto& [w, b] : open_)
            if (std::exchange(b.stream, false)) d_.extend(*w, 0, false, now_, out_);
        obey();
        if (by_force)
            d_.terminate(error_for_all("terminated"), out_);
        else
            d_.close(out_);
        obey();
        for (int i = 0; i < 1'000'000 && !drained_; ++i) {
            now_ += 100us;
            pass_time();
            work_at(static_cast<worker_index>(below(limits_.workers)));
            obey();
        }
        const auto s = d_.stats();
        return drained_ && open_.empty() && s.queued == 0 && s.running == 0 &&
               d_.next_deadline() == steady::time_point::max();
    }

    std::uint64_t values() const { return values_; }
    coproc::pool_stats stats() const { return d_.stats(); }

private:
    struct books {
        std::uint64_t items = 0;
        bool stream = false;
        bool cancelled = false;
        std::vector<int> ended; // per item: values that came
    };
    struct worker {
        bool alive = false;
        std::deque<chunk> inbox;
    };

    std::uint64_t below(std::uint64_t n) { return random_() % n; }

    void submit() {
        coproc::task_options options;
        options.priority = static_cast<int>(below(3));
        options.retries = static_cast<unsigned>(below(3));
        if (below(4) == 0) options.chunk_size = 1 + below(9);
        if (below(6) == 0) options.timeout = std::chrono::microseconds{1 + below(2000)};
        if (below(6) == 0) options.queue_timeout = std::chrono::microseconds{1 + below(5000)};
        fake_ptr w;
        books b;
        switch (below(3)) {
        case 0:
            b.items = 1;
            w = fake_call(options);
            break;
        case 1:
            b.items = below(60);
            w = fake_map(b.items, options);
            break;
        default:
            b.items = below(10);
            b.stream = true;
            w = fake_stream(b.items, options);
            break;
        }
        b.ended.resize(b.items);
        open_.emplace(w, b);
        d_.submit(*w, now_, out_);
    }

    fake_ptr any_work() {
        if (open_.empty()) return nullptr;
        auto at = open_.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(below(open_.size())));
        return at->first;
    }

    void extend() {
        const auto w = any_work();
        if (!w || !open_.at(w).stream || w->failures != 0) return;
        auto& b = open_.at(w);
        const auto more = below(20);
        b.items += more;
        b.ended.resize(b.items);
        b.stream = below(3) != 0;
        d_.extend(*w, more, b.stream, now_, out_);
    }

    void cancel() {
        const auto w = any_work();
        if (!w) return;
        open_.at(w).cancelled = true;
        REQUIRE(d_.cancel(*w, error_of("cancelled"), failure_kind::cancelled, out_));
    }

    void pass_time() {
        d_.expire(now_, out_);
        obey();
        while (const auto late = d_.overdue(now_)) {
            const auto* c = d_.running(late->worker);
            REQUIRE(c != nullptr);
            REQUIRE(c->id == late->chunk_id);
            if (!d_.check_overdue(late->worker, now_ - 1ms, now_)) continue;
            const auto item = static_cast<std::uint32_t>(below(c->count));
            lose(late->worker, {.chunk_id = c->id,
                                .item = item,
                                .error = error_of("timeout"),
                                .kind = failure_kind::timed_out,
                                .may_retry = false});
            obey();
        }
    }

    void work_at(worker_index index) {
        auto& wk = workers_[index];
        if (!wk.alive) {
            if (below(4) == 0)
                d_.start_failed(index, error_of("no start"), false, now_, out_);
            else {
                wk.alive = true;
                d_.ready(index, now_, out_);
            }
            return;
        }
        if (wk.inbox.empty()) {
            if (below(30) == 0) lose(index, {});
            return;
        }
        const chunk c = wk.inbox.front();
        const auto item = static_cast<std::uint32_t>(below(c.count));
        switch (below(16)) {
        case 0: // killed
            lose(index, {.chunk_id = c.id, .item = item, .error = error_of("lost")});
            break;
        case 1: // stopped for another reason
            lose(index, {.chunk_id = c.id, .item = item, .deliberate = true});
            break;
        case 2: // given up, its values stay
            note(c, item);
            if (!d_.in_flight(index, c.id)) unnote(c, item);
            lose(index, {.chunk_id = c.id,
                         .item = item,
                         .done = item,
                         .error = error_of("given up"),
                         .kind = failure_kind::timed_out,
                         .may_retry = false});
            break;
        case 3: // cannot be encoded
            wk.inbox.pop_front();
            d_.refused(index, c.id, item, error_of("refused"), now_, out_);
            break;
        case 4: // an exception
            finish(index, item, error_of("thrown"));
            break;
        case 5: // no more for now
            finish(index, item, nullptr);
            break;
        default:
            finish(index, c.count, nullptr);
            break;
        }
    }

    void finish(worker_index index, std::uint32_t ok, std::exception_ptr error) {
        const chunk c = workers_[index].inbox.front();
        workers_[index].inbox.pop_front();
        const bool counts = d_.in_flight(index, c.id);
        if (counts) note(c, ok);
        const auto took = limits_.asleep ? std::chrono::nanoseconds{100 + below(500)} * c.count
                                         : std::chrono::microseconds{1 + below(50)} * c.count;
        const std::size_t rss = below(20) == 0 ? 2000 : 10;
        REQUIRE(d_.done(index, c.id, {ok, error}, took, rss, now_, out_) == counts);
    }

    void lose(worker_index index, loss what) {
        workers_[index].alive = false;
        workers_[index].inbox.clear();
        d_.lost(index, what, now_, out_);
    }

    void note(const chunk& c, std::uint32_t ok) { add(c, ok, 1); }
    void unnote(const chunk& c, std::uint32_t ok) { add(c, ok, -1); }
    void add(const chunk& c, std::uint32_t ok, int n) {
        auto* w = static_cast<fake_work*>(c.of.get());
        const auto at = open_.find(fake_ptr{w});
        if (at == open_.end()) return;
        for (std::uint32_t i = 0; i < ok; ++i)
            at->second.ended.at(c.first + i) += n;
        values_ += static_cast<std::uint64_t>(static_cast<std::int64_t>(n) * ok);
    }

    /// Carries out what the dispatcher asks for, in its order.
    void obey() {
        while (!out_.empty()) {
            effects now;
            std::swap(now, out_);
            for (const auto& t : now.recall)
                take_back(t);
            for (const auto& t : now.stop)
                stop(t);
            for (const auto& a : now.assign) {
                REQUIRE(a.what.count > 0);
                if (!workers_[a.worker].alive) { // stopped in between, by what was asked for before
                    REQUIRE_FALSE(d_.in_flight(a.worker, a.what.id));
                    continue;
                }
                workers_[a.worker].inbox.push_back(a.what);
                REQUIRE(workers_[a.worker].inbox.size() <= limits_.prefetch + 1);
            }
            for (const auto index : now.retire) {
                REQUIRE(workers_[index].inbox.empty());
                workers_[index].alive = false;
            }
            for (const auto index : now.start)
                REQUIRE_FALSE(workers_[index].alive);
            for (const auto& w : now.finished)
                settle(fake_ptr{static_cast<fake_work*>(w.get())});
            if (now.drained) {
                REQUIRE_FALSE(drained_);
                drained_ = true;
            }
        }
    }

    void take_back(const effects::target& t) {
        auto& inbox = workers_[t.worker].inbox;
        const auto at = std::ranges::find(inbox, t.chunk_id, &chunk::id);
        // The one in front has been started; and a request may come too late.
        if (at == inbox.end() || at == inbox.begin()) return;
        inbox.erase(at);
        d_.returned(t.worker, t.chunk_id, now_, out_);
    }

    void stop(const effects::target& t) {
        auto& inbox = workers_[t.worker].inbox;
        const auto at = std::ranges::find(inbox, t.chunk_id, &chunk::id);
        if (at == inbox.end()) return;
        if (at != inbox.begin()) {
            inbox.erase(at);
            d_.returned(t.worker, t.chunk_id, now_, out_);
        } else if (below(2) == 0) {
            lose(t.worker, {.chunk_id = t.chunk_id, .deliberate = true});
        } // or it runs to its end, for nothing
    }

    void settle(const fake_ptr& w) {
        const auto at = open_.find(w);
        REQUIRE(at != open_.end()); // once
        w->finish();
        const auto& b = at->second;
        const bool whole = w->failures == 0;
        REQUIRE((!b.stream || !whole));
        // Up to the failure every item has its value; a cancelled work owes none.
        const auto owed = whole ? b.items : std::min(w->failed_at, b.items);
        for (std::uint64_t i = 0; i < b.items; ++i) {
            REQUIRE(b.ended[i] <= 1);
            if (i < owed) REQUIRE(b.ended[i] == 1);
        }
        if (b.cancelled) REQUIRE(w->failed_at == 0);
        open_.erase(at);
    }

    dispatcher_limits limits_;
    std::mt19937 random_;
    dispatcher d_;
    effects out_;
    std::vector<worker> workers_;
    std::map<fake_ptr, books> open_;
    steady::time_point now_{1h};
    bool drained_ = false;
    std::uint64_t values_ = 0;
};

} // namespace

TEST_CASE("whatever happens, every item ends exactly once") {
    std::uint64_t values = 0;
    for (unsigned seed = 1; seed <= 1000; ++seed) {
        CAPTURE(seed);
        dispatcher_limits limits;
        limits.workers = 1 + seed % 5;
        limits.prefetch = seed % 3;
        limits.max_tasks_per_worker = seed % 4 == 0 ? 7 : 0;
        limits.max_worker_memory = seed % 5 == 0 ? 1000 : 0;
        limits.restarts = 1000; // a broken pool would end the test early
        if (seed % 2 == 0) {
            limits.asleep = [dice = std::mt19937{seed}](worker_index) mutable {
                return dice() % 3 != 0;
            };
            limits.cpus = 1 + seed % 3;
        }
        model m{limits, seed};
        for (int i = 0; i < 1500; ++i)
            m.step();
        REQUIRE(m.drain(seed % 7 == 0));
        REQUIRE(m.stats().completed == m.values());
        values += m.values();
    }
    CHECK(values > 100'000);
}

TEST_CASE("whatever happens, a pool that breaks fails what is left") {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        dispatcher_limits limits;
        limits.workers = 1 + seed % 3;
        limits.prefetch = seed % 2;
        limits.restarts = 1;
        model m{limits, seed};
        for (int i = 0; i < 1000; ++i)
            m.step();
        REQUIRE(m.drain(false));
    }
}
