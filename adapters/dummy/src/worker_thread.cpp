// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <worker_thread.hpp>

#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/identity.hpp>
#include <coproc/error.hpp>

#include <algorithm>
#include <dummy_backend.hpp>
#include <spin.hpp>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace coproc::detail {

namespace {

thread_local worker_thread* current_worker = nullptr;

constexpr auto idle_spin = std::chrono::microseconds{20};
constexpr unsigned sample_every = 16;           // plain calls; a power of two
constexpr std::size_t longest_thread_name = 15; // the kernel's limit

/// As a worker process is called.
std::string name_of(const backend& pool, unsigned long number) {
    return (pool.name().empty() ? std::string{"pool"} : pool.name()) + '-' + std::to_string(number);
}

void name_this_thread(const std::string& name) noexcept {
    // What tells the workers apart is at the end.
    char text[longest_thread_name + 1] = {};
    const auto digits = name.size() - name.rfind('-');
    const auto head = std::min(name.size() - digits, longest_thread_name - digits);
    name.copy(text, head);
    name.copy(text + head, digits, name.size() - digits);
    pthread_setname_np(pthread_self(), text);
}

} // namespace

worker_thread::worker_thread(boost::intrusive_ptr<dummy_backend> pool, worker_index slot,
                             unsigned long number, thread_ptr predecessor)
    : pool_{std::move(pool)},
      slot_{slot},
      name_{name_of(*pool_, number)},
      predecessor_{std::move(predecessor)} {}

void worker_thread::launch() {
    pthread_t id{};
    intrusive_ptr_add_ref(this); // the thread's own
    if (const int failed = pthread_create(&id, nullptr, &worker_thread::entry, this)) {
        intrusive_ptr_release(this);
        if (const auto predecessor = std::exchange(predecessor_, nullptr))
            predecessor->request_stop();
        throw std::system_error{failed, std::system_category(), "pthread_create"};
    }
}

void* worker_thread::entry(void* self) noexcept {
    const thread_ptr me{static_cast<worker_thread*>(self), false};
    me->main();
    return nullptr;
}

worker_thread* worker_thread::current() noexcept { return current_worker; }

void worker_thread::main() noexcept {
    id_ = pthread_self();
    current_worker = this;
    set_name_of_worker_thread(&name_);
    pthread_sigmask(SIG_SETMASK, &pool_->signal_mask(), nullptr);
    name_this_thread(name_);
    if (const auto& where = pool_->where(); where.binds()) bind_this_thread(where.cpus_of(slot_));
    if (const auto predecessor = std::exchange(predecessor_, nullptr)) predecessor->request_stop();
    if (initialize()) {
        while (next_chunk())
            if (chunk_.of)
                run_chunk();
            else
                run_calls();
    }
    pool_->ended(*this);
    set_name_of_worker_thread(nullptr);
}

bool worker_thread::initialize() noexcept {
    try {
        if (pool_->initializer()) pool_->initializer()();
    } catch (...) {
        failure_info where;
        where.worker_pid = ::getpid();
        where.worker_name = name_;
        pool_->not_ready(
            *this, initializer_failure(where, local_failure(std::current_exception(), where)));
        return false;
    }
    may_spin_ = pool_->ready(*this);
    return true;
}

// --- the mailbox ----------------------------------------------------------------------------------

bool worker_thread::post(chunk c) noexcept {
    mail_ = std::move(c);
    return state_.exchange(mail, std::memory_order_acq_rel) == asleep;
}

bool worker_thread::post_run(std::span<work* const> calls, std::uint32_t number) noexcept {
    run.assign(calls, number);
    return state_.exchange(mail, std::memory_order_acq_rel) == asleep;
}

bool worker_thread::quit() noexcept {
    return state_.exchange(quitting, std::memory_order_acq_rel) == asleep;
}

chunk worker_thread::take_back() noexcept {
    std::uint32_t expected = mail;
    if (!state_.compare_exchange_strong(expected, awake, std::memory_order_acq_rel)) return {};
    return std::exchange(mail_, {});
}

bool worker_thread::next_chunk() noexcept {
    for (;;) {
        std::uint32_t seen = state_.load(std::memory_order_acquire);
        if (seen == quitting) return false;
        if (seen == mail) {
            if (!state_.compare_exchange_strong(seen, awake, std::memory_order_acq_rel)) continue;
            chunk_ = std::exchange(mail_, {});
            return true;
        }
        last_end_ = {};
        if (std::exchange(may_spin_, false)) {
            spin_for(idle_spin, [this] {
                return state_.load(std::memory_order_relaxed) != awake || pool_->any_left();
            });
            if (state_.load(std::memory_order_relaxed) == awake) {
                if (pool_->any_left())
                    may_spin_ = pool_->look(*this);
                else
                    pool_->rest(*this);
            }
            continue;
        }
        seen = awake;
        if (state_.compare_exchange_strong(seen, asleep, std::memory_order_acq_rel))
            state_.wait(asleep, std::memory_order_relaxed);
    }
}

// --- running --------------------------------------------------------------------------------------

void worker_thread::run_chunk() noexcept {
    work& w = *chunk_.of;
    label = w.settings().label_text();
    attempt = chunk_.attempt;
    timed_ = w.settings().timeout.count() > 0;
    // The clock costs as much as a small task: of plain calls, whose durations matter little, some
    // are measured, and one look serves as the end of a chunk and the beginning of the next. The
    // dispatcher may be told of an older time then: a deadline that is too early for that is put
    // right when it is looked into.
    const bool measured =
        timed_ || w.many() || calls_ < sample_every || (calls_ & (sample_every - 1)) == 0;
    ++calls_;
    if (measured && last_end_ == steady::time_point{}) last_end_ = steady::now();
    const auto began = last_end_;
    chunk_outcome outcome;
    {
        const running_task::scope running{*this};
        outcome = w.run(chunk_, *this);
    }
    if (timed_) item_began_.store(0, std::memory_order_release);
    last_end_ = measured ? steady::now() : steady::time_point{};
    const auto took = measured ? last_end_ - began : steady::duration{0};
    may_spin_ = pool_->done(*this, chunk_.id, std::move(outcome), took, last_end_);
    label = {};
    chunk_.of.reset();
}

/// A call that fails, or has been adopted, is reported; what is left of the run then comes again.
void worker_thread::run_calls() noexcept {
    attempt = 1;
    timed_ = false;
    if (last_end_ == steady::time_point{}) last_end_ = steady::now();
    const auto began = last_end_;
    std::uint32_t calls = 0;
    chunk_outcome outcome;
    for (work_ptr next{run.begin(), false}; next && !given_up();) {
        chunk_.of = std::move(next);
        chunk_.attempt = chunk_.count = 1;
        label = chunk_.of->settings().label_text();
        {
            const running_task::scope running{*this};
            outcome = chunk_.of->run(chunk_, *this);
        }
        ++calls;
        if (outcome.error) break;
        const auto step = run.end();
        if (!step.ended) break;
        next = work_ptr{step.next, false};
        label = {};
        chunk_.of->finish();
        chunk_.of.reset();
    }
    last_end_ = steady::now();
    const auto each = calls != 0 ? (last_end_ - began) / calls : steady::duration{0};
    may_spin_ = chunk_.of ? pool_->done(*this, 0, std::move(outcome), each, last_end_)
                          : pool_->run_ended(*this, each, last_end_);
    label = {};
    chunk_.of.reset();
}

bool worker_thread::begin_item(std::uint32_t index) noexcept {
    if (given_up_.load(std::memory_order_relaxed)) return false;
    if (timed_) {
        item_began_.store(0,
                          std::memory_order_release); // nobody takes the new index for the old item
        item_.store(index, std::memory_order_release);
        item_began_.store(steady::now().time_since_epoch().count(), std::memory_order_release);
    }
    return true;
}

std::optional<worker_thread::item> worker_thread::current_item() const noexcept {
    const auto began = item_began_.load(std::memory_order_acquire);
    const auto index = item_.load(std::memory_order_acquire);
    if (began == 0 || item_began_.load(std::memory_order_acquire) != began)
        return {}; // one begins at this moment
    return item{index, steady::time_point{steady::duration{began}}};
}

void worker_thread::report_progress(std::uint64_t done, std::uint64_t total) {
    if (!given_up_.load(std::memory_order_relaxed)) chunk_.of->core().report_progress(done, total);
}

} // namespace coproc::detail
