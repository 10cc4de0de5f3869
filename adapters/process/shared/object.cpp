// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <shared/object.hpp>

#include <coproc/detail/forks.hpp>
#include <coproc/detail/known_cpu_count.hpp>
#include <coproc/error.hpp>
#include <os/spin.hpp>
#include <os/system_call.hpp>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <fcntl.h>
#include <map>
#include <mutex>
#include <new>
#include <pthread.h>
#include <shared/peer_watch.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace coproc::detail::shared {
namespace {

constexpr std::uint32_t owner_mask = 0xffff;
constexpr std::uint32_t sleepers = 0x8000'0000;

os::unique_fd make_memory(const create_tag& options) {
    const std::size_t size = extra_offset + options.extra;
    if (!options.grows) return os::make_memfd("coproc", size);
    return os::make_growing_memfd("coproc", size);
}

/// 0 for what cannot be an object's memory at all.
std::uint64_t size_of_object(int memory) {
    try {
        return os::sealed_size(memory);
    } catch (const std::system_error&) {
        return 0;
    }
}

// --- spinning ------------------------------------------------------------------------------------

/// How long it is worth looking before sleeping, on this thread; believes what happened last.
///
/// Two that wait for each other in turn fall asleep together or stay awake together. Out of sleep
/// they find only if one looks, now and then, for as long as it takes to wake the other.
class patience {
public:
    [[nodiscard]] std::uint64_t budget() noexcept {
        if (single_cpu()) return 0;
        if (ns_ >= least) return ns_;
        return ++skipped_ % 16 == 0 ? most : 0;
    }
    void paid(std::uint64_t after) noexcept { ns_ = std::clamp(3 * after, usual, most); }
    void did_not_pay() noexcept { ns_ /= 2; }

private:
    static constexpr std::uint64_t least = 2'000;
    static constexpr std::uint64_t usual = 20'000;
    static constexpr std::uint64_t most = 100'000;
    std::uint64_t ns_ = usual;
    unsigned skipped_ = 0;
};

thread_local patience this_threads_patience;

// --- which objects this process has --------------------------------------------------------------

struct registry {
    std::mutex joining; // alone, so that a fork need not wait for it
    using key = std::pair<dev_t, ino_t>;
    std::mutex mutex;
    std::map<key, std::weak_ptr<object>> objects;

    static key key_of(int fd) {
        struct stat status{};
        os::check(::fstat(fd, &status), "examine shared memory");
        return {status.st_dev, status.st_ino};
    }
};

registry& the_registry();

// Nobody is in the middle of a change when a fork happens; and its child holds nothing of what its
// parent holds.
void before_fork() noexcept { the_registry().mutex.lock(); }
void after_fork_in_parent() noexcept { the_registry().mutex.unlock(); }
void after_fork_in_child() noexcept {
    registry& r = the_registry();
    ::new (&r.joining) std::mutex;
    for (auto& [key, known] : r.objects)
        if (auto o = known.lock()) {
            o->forget_self();
            // Not destroyed here, whatever the parent's other threads were about to do.
            static_cast<void>(new std::shared_ptr<object>{std::move(o)});
        }
    r.mutex.unlock();
}

registry& the_registry() {
    static registry* const instance = [] {
        auto* const made = new registry;
        return made;
    }();
    static const int hooked =
        ::pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
    static_cast<void>(hooked);
    return *instance;
}

const made_before_main made_early{the_registry};

} // namespace

std::shared_ptr<object> find_object(int memory) {
    registry& r = the_registry();
    const auto key = registry::key_of(memory);
    const std::scoped_lock lock{r.mutex};
    const auto at = r.objects.find(key);
    return at == r.objects.end() ? nullptr : at->second.lock();
}

std::shared_ptr<object> remember_object(const std::shared_ptr<object>& o) {
    registry& r = the_registry();
    const auto key = registry::key_of(o->descriptor());
    o->identity_ = key.second;
    const std::scoped_lock lock{r.mutex};
    auto& entry = r.objects[key];
    if (auto present = entry.lock()) return present;
    entry = o;
    return o;
}

void leave_and_delete::operator()(object* o) const noexcept {
    o->leave();
    delete o;
}

// --- an object -----------------------------------------------------------------------------------

object::object(create_tag options)
    : memory_{make_memory(options)}, map_{memory_.get(), 0, extra_offset + options.extra} {
    head().magic = header::magic_value;
    head().what = options.what;
    head().type = options.type;
}

object::object(adopt_tag given) : memory_{std::move(given.memory)} {
    const auto size = size_of_object(memory_.get());
    if (size >= extra_offset) map_ = os::mapping{memory_.get(), 0, extra_offset};
    if (size < extra_offset || head().magic != header::magic_value || head().what != given.what)
        throw serialization_error{"coproc: a handle arrived whose memory is not what it should be "
                                  "(a damaged message, or one of another version of coproc)"};
    require_type(given.type);
    const auto wanted = given.mapped != 0 ? given.mapped : static_cast<std::size_t>(size);
    if (wanted > size)
        throw serialization_error{"coproc: a handle arrived whose memory is too short"};
    if (wanted > extra_offset) map_.grow(wanted);
}

void object::require_type(std::uint64_t type) const {
    if (head().type != type)
        throw serialization_error{
            "coproc: a handle arrived whose elements are of another type than expected"};
}

object::~object() {
    registry& r = the_registry();
    try {
        const auto key = registry::key_of(memory_.get());
        const std::scoped_lock lock{r.mutex};
        const auto at = r.objects.find(key);
        if (at != r.objects.end() && at->second.expired()) r.objects.erase(at);
    } catch (const std::exception&) {
        // An entry for nothing is left behind.
    }
}

unsigned object::join() {
    bool seen_dead = false;
    const auto self = join_somewhere(seen_dead);
    // Where nobody ever waits, nobody else does it, and the places come to an end.
    if (seen_dead) bury();
    return self;
}

unsigned object::join_somewhere(bool& seen_dead) {
    const std::scoped_lock lock{the_registry().joining};
    if (const auto self = self_.load(std::memory_order_acquire); self != nobody) return self;
    header& h = head();
    for (unsigned i = 0; i != most_parties; ++i) {
        party& p = party_at(i);
        if (is_present(p)) {
            seen_dead = seen_dead || is_dead(p);
            continue;
        }
        for (auto used = h.used.load();
             used < i + 1 && !h.used.compare_exchange_weak(used, i + 1);) {}
        if (!claim_presence(p)) continue;
        p.pid.store(static_cast<std::uint32_t>(::getpid()));
        self_.store(i, std::memory_order_release);
        // Whoever sleeps must watch over the new one, too.
        h.membership.fetch_add(1);
        wake_all();
        return i;
    }
    os::throw_system_error("take part in an object that more than 4096 processes share", ENOSPC);
}

void object::leave() noexcept {
    const auto self = self_.load(std::memory_order_acquire);
    if (self == nobody) return;
    party& mine = party_at(self);
    lock_guard(head().guard);
    repair(mine);
    mine.pid.store(0);
    unlock_guard(head().guard);
    wake_all();
    self_.store(nobody);
    release_presence(mine);
}

// --- the guard -----------------------------------------------------------------------------------

void object::lock_guard(os::futex_word& word) {
    const std::uint32_t mine = self() + 1;
    std::uint32_t expected = 0;
    if (!word.compare_exchange_strong(expected, mine, std::memory_order_acquire))
        lock_guard_slowly(word, mine);
}

void object::lock_guard_slowly(os::futex_word& word, std::uint32_t mine) {
    // Its holder has it for less than a microsecond, unless it was put to sleep or killed just
    // then: so look again, then sleep, and look after the holder's life now and then.
    constexpr std::uint64_t usual = 3'000;
    constexpr std::chrono::milliseconds unusual{10};
    std::uint32_t flag = 0;
    for (;;) {
        std::uint32_t seen = 0;
        const bool free = os::spin_for(usual, [&] {
            seen = word.load(std::memory_order_relaxed);
            return (seen & owner_mask) == 0;
        });
        if (free) {
            if (word.compare_exchange_strong(seen, mine | flag | (seen & sleepers),
                                             std::memory_order_acquire))
                return;
            continue;
        }
        if (is_dead(party_at((seen & owner_mask) - 1))) {
            if (&word != &head().guard) {
                bury(); // which releases it, after the end of a transaction that its holder was at
                continue;
            }
            if (!word.compare_exchange_strong(seen, mine | sleepers, std::memory_order_acquire))
                continue;
            transaction::recover(base());
            bury_under_guard();
            wake_all();
            return;
        }
        if ((seen & sleepers) == 0 &&
            !word.compare_exchange_strong(seen, seen | sleepers, std::memory_order_relaxed))
            continue;
        os::futex_wait(word, seen | sleepers, unusual);
        flag = sleepers; // there may be others that nobody would wake
    }
}

void object::release_guard(os::futex_word& word, const party& dead) const noexcept {
    auto seen = word.load();
    // Nobody else lets go of it, but somebody may just say that he sleeps.
    while ((seen & owner_mask) == index_of(dead) + 1)
        if (word.compare_exchange_weak(seen, 0)) os::futex_wake(word, INT_MAX);
}

void object::unlock_guard(os::futex_word& word) noexcept {
    if ((word.exchange(0, std::memory_order_release) & sleepers) != 0) os::futex_wake(word, 1);
}

// --- the dead ------------------------------------------------------------------------------------

bool object::somebody_died() const noexcept {
    const auto used = std::min(head().used.load(std::memory_order_acquire), most_parties);
    for (unsigned i = 0; i != used; ++i)
        if (is_dead(party_at(i))) return true;
    return false;
}

void object::bury() {
    {
        const guard held{*this};
        bury_under_guard();
    }
    // Also when another process was faster: it may have died over it.
    wake_all();
}

void object::bury_under_guard() noexcept {
    header& h = head();
    const auto used = std::min(h.used.load(std::memory_order_acquire), most_parties);
    for (unsigned i = 0; i != used; ++i) {
        party& p = party_at(i);
        if (!is_dead(p)) continue;
        repair(p);
        for (unsigned w = 0; w != wait_words; ++w)
            h.waits[w].waiters.fetch_sub(p.waiting[w].exchange(0));
        p.pid.store(0);
        p.presence.store(0, std::memory_order_release);
    }
}

bool object::watch_parties() {
    header& h = head();
    const std::uint64_t now = std::uint64_t{h.membership.load()} + 1;
    if (watched_.load(std::memory_order_acquire) == now) return true;
    const unsigned mine = self();
    bool all = true;
    bool dead = false;
    const auto used = std::min(h.used.load(), most_parties);
    for (unsigned i = 0; i != used; ++i) {
        party& p = party_at(i);
        const auto pid = static_cast<pid_t>(p.pid.load());
        if (i == mine || pid == 0 || pid == ::getpid() || !is_present(p)) continue;
        if (!is_dead(p)) all = watch_peer(pid, weak_from_this()) && all;
        // Only a process that lived after it was watched is surely the one that is watched.
        dead = dead || is_dead(p);
    }
    if (all) watched_.store(now, std::memory_order_release);
    if (dead) bury();
    return all;
}

void object::look_after_parties() noexcept {
    watched_.store(0, std::memory_order_release);
    try {
        bury();
    } catch (const std::exception&) {
        wake_all(); // those who wait see for themselves
    }
}

// --- waiting -------------------------------------------------------------------------------------

void object::wake(wait_word& word, int count) noexcept {
    announce_change(word);
    wake_sleepers(word, count);
}

void object::wake_sleepers(wait_word& word, int count) noexcept {
    if (word.waiters.load() != 0) os::futex_wake(word.sequence, count);
}

void object::wake_all() noexcept {
    for (wait_word& word : head().waits)
        wake(word, INT_MAX);
}

void object::announce(wait_word& word, unsigned counted_as) {
    party& mine = me();
    // A death between the two leaves one waiter too many; the other way round it would be one too
    // few.
    word.waiters.fetch_add(1);
    mine.waiting[counted_as].fetch_add(1);
}

void object::retire(wait_word& word, unsigned counted_as) noexcept {
    party& mine = party_at(self_.load(std::memory_order_relaxed));
    mine.waiting[counted_as].fetch_sub(1);
    word.waiters.fetch_sub(1);
}

bool object::wait(unsigned word, deadline until, function_ref<bool()> attempt) {
    return wait(head().waits[word], word, until, attempt);
}

bool object::wait(wait_word& word, unsigned counted_as, deadline until,
                  function_ref<bool()> attempt) {
    std::uint32_t seen = word.sequence.load();
    if (attempt()) return true;
    if (until && steady::now() >= *until) {
        bury_dead();
        return attempt();
    }

    if (const auto budget = this_threads_patience.budget(); budget != 0) {
        const auto has_changed = [&] {
            return word.sequence.load(std::memory_order_relaxed) != seen;
        };
        // Whoever is answered at once need not know the time.
        if (os::spin_briefly(has_changed)) {
            if (attempt()) {
                this_threads_patience.paid(0);
                return true;
            }
            seen = word.sequence.load();
        }
        const std::uint64_t began = os::monotonic_ns();
        const bool changed = os::spin_for(budget, has_changed);
        const bool done = changed && attempt();
        if (done)
            this_threads_patience.paid(os::monotonic_ns() - began);
        else
            this_threads_patience.did_not_pay();
        if (done) return true;
    }

    struct announcement {
        object& o;
        wait_word& word;
        unsigned counted_as;
        bool woken = false;
        announcement(object& object, wait_word& w, unsigned n) : o{object}, word{w}, counted_as{n} {
            o.announce(word, counted_as);
        }
        ~announcement() {
            o.retire(word, counted_as);
            if (woken) wake(word, 1); // not used: it was somebody else's
        }
    } announced{*this, word, counted_as};

    for (;;) {
        seen = word.sequence.load();
        if (attempt()) {
            announced.woken = false;
            return true;
        }
        const bool watched = watch_parties();
        std::optional<std::chrono::nanoseconds> left;
        if (until) {
            left = *until - steady::now();
            if (*left <= std::chrono::nanoseconds{0}) return false;
        }
        // Without a descriptor to watch with, there is only looking.
        constexpr std::chrono::nanoseconds unwatched = std::chrono::milliseconds{50};
        if (!watched && (!left || *left > unwatched)) left = unwatched;
        announced.woken = os::futex_wait(word.sequence, seen, left);
        if (!watched) bury_dead();
    }
}

} // namespace coproc::detail::shared
