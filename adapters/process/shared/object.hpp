// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// An object in shared memory as one process sees it: the base of mutex, queue and all the others.
// It has no name and no home: it lives as long as somebody holds a descriptor of it.
//
// How a noun stands on it:
//  - Its state is changed under the guard, by single stores or by a `transaction`, so that it is
//    right whenever its process dies. What a process holds is counted in its party.
//  - Whoever cannot go on waits with wait(); whoever changes something calls wake().
//  - When a process dies, those that wait learn of it (peer_watch.hpp), the first to get the guard
//    calls repair() for it, and everybody looks again. So a wake-up that went to the dead is not
//    lost either.

#include <coproc/duration.hpp>
#include <os/memfd.hpp>
#include <os/unique_fd.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <shared/keeper.hpp>
#include <shared/layout.hpp>
#include <shared/redo.hpp>
#include <type_traits>
#include <utility>

namespace coproc::detail::shared {

using deadline = std::optional<steady::time_point>;

/// A reference to something callable, for the time of a call.
template <class Signature>
class function_ref;
template <class R, class... Args>
class function_ref<R(Args...)> {
public:
    template <class F>
        requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref>)
    function_ref(F&& f) noexcept // NOLINT(google-explicit-constructor)
        : object_{const_cast<void*>(static_cast<const void*>(&f))},
          call_{[](void* object, Args... args) -> R {
              return (*static_cast<std::remove_reference_t<F>*>(object))(args...);
          }} {}
    R operator()(Args... args) const { return call_(object_, args...); }

private:
    void* object_;
    R (*call_)(void*, Args...);
};

struct create_tag {
    kind what;
    std::uint64_t type = 0;
    std::size_t extra = 0; ///< bytes behind the parties
    bool grows = false;    ///< the file may become longer later
};

struct adopt_tag {
    os::unique_fd memory;
    kind what;
    std::uint64_t type = 0;
    std::size_t mapped = 0; ///< so much of a file that grows; 0: all of it
};

class object : public std::enable_shared_from_this<object> {
public:
    object(const object&) = delete;
    object& operator=(const object&) = delete;
    virtual ~object();

    [[nodiscard]] int descriptor() const noexcept { return memory_.get(); }
    /// The same in every process, and no other object's as long as this one is anywhere.
    [[nodiscard]] std::uint64_t identity() const noexcept { return identity_; }

    /// Held for some dozen instructions. Becomes a party first, if it is not yet one.
    ///
    /// A noun may have words of its own for parts of its state that are changed by single stores,
    /// each beside what it guards: then those who change different parts do not take a cache line
    /// from each other. Its repair() calls release_guard() for them. A transaction is made under
    /// the object's guard, taken last.
    class guard {
    public:
        explicit guard(object& o) : guard{o, o.head().guard} {}
        guard(object& o, os::futex_word& word) : object_{o}, word_{word} {
            object_.lock_guard(word_);
        }
        guard(const guard&) = delete;
        guard& operator=(const guard&) = delete;
        ~guard() { unlock_guard(word_); }

    private:
        object& object_;
        os::futex_word& word_;
    };

    /// Waits until `attempt` returns true, looking again whenever the word changes; false when the
    /// deadline passed first. `attempt` takes the guard if it needs it. What it throws passes
    /// through. Spins for a moment before it sleeps.
    bool wait(unsigned word, deadline until, function_ref<bool()> attempt);
    /// To be called after a change that `count` of those who wait for the word may go on with.
    void wake(unsigned word, int count) noexcept { wake(head().waits[word], count); }

    /// The same for a word of the noun's own. `counted_as`: a word of the header on which nobody
    /// sleeps, or the dead would be taken off the wrong count. Who waits there is counted in the
    /// word itself as well, and never too few, also if the noun uses the word for another purpose
    /// later: it must not set the count back.
    bool wait(wait_word& word, unsigned counted_as, deadline until, function_ref<bool()> attempt);
    static void wake(wait_word& word, int count) noexcept;
    /// Its first half, for those who have just changed what lies beside the word: both under the
    /// guard, so that one who spins does not take the cache line away in between. The second half
    /// follows without the guard.
    static void announce_change(wait_word& word) noexcept { word.sequence.fetch_add(1); }
    static void wake_sleepers(wait_word& word, int count) noexcept;

    /// For those who wait without a thread: beginning and end of what wait() does.
    void announce(wait_word& word, unsigned counted_as);
    void retire(wait_word& word, unsigned counted_as) noexcept;
    /// Learns of the death of every party that there is now. False if that cannot be (no more
    /// descriptors): look again after some time then.
    bool watch_parties();

    /// Somebody among the parties has died, or may have: gives back what they held, and everybody
    /// looks again.
    void bury();
    /// The same, from whoever has seen a death.
    void look_after_parties() noexcept;
    /// The same when there is one, at the price of a look at every party.
    void bury_dead() {
        if (somebody_died()) bury();
    }

    /// The index of this process among the parties; it joins at the first call.
    unsigned self() {
        const auto self = self_.load(std::memory_order_acquire);
        return self != nobody ? self : join();
    }
    /// Only if it has joined: else a number that is nobody's.
    [[nodiscard]] unsigned self_if_party() const noexcept {
        return self_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_party() const noexcept { return self_if_party() != nobody; }
    [[nodiscard]] unsigned index_of(const party& p) const noexcept {
        return static_cast<unsigned>(&p - &party_at(0));
    }
    [[nodiscard]] party& party_at(unsigned index) const noexcept {
        return reinterpret_cast<party*>(base() + parties_offset)[index];
    }
    party& me() { return party_at(self()); }

    /// The child of a fork is somebody else than its parent.
    void forget_self() noexcept {
        self_.store(nobody, std::memory_order_relaxed);
        watched_.store(0, std::memory_order_relaxed);
    }

    /// Throws serialization_error if the elements are of another type.
    void require_type(std::uint64_t type) const;

    [[nodiscard]] std::byte* base() const noexcept { return map_.data(); }
    [[nodiscard]] header& head() const noexcept { return *reinterpret_cast<header*>(base()); }

protected:
    explicit object(create_tag options);
    explicit object(adopt_tag given);

    template <class State>
    [[nodiscard]] State& state() const noexcept {
        static_assert(sizeof(State) <= state_capacity);
        return *reinterpret_cast<State*>(base() + state_offset);
    }
    [[nodiscard]] std::byte* extra() const noexcept { return base() + extra_offset; }

    /// Gives back what a dead party held. Under the guard; may be called twice for the same death,
    /// so it clears what it has given back, by the same transaction.
    virtual void repair(party& dead) noexcept { static_cast<void>(dead); }
    /// If the dead one held it.
    void release_guard(os::futex_word& word, const party& dead) const noexcept;
    /// Nouns with words of their own wake those who sleep on them.
    virtual void wake_all() noexcept;

private:
    static constexpr unsigned nobody = 0x7fff'ffff;

    unsigned join();
    unsigned join_somewhere(bool& seen_dead);
    void leave() noexcept;
    void lock_guard(os::futex_word& word);
    static void unlock_guard(os::futex_word& word) noexcept;
    void lock_guard_slowly(os::futex_word& word, std::uint32_t mine);
    [[nodiscard]] bool somebody_died() const noexcept;
    void bury_under_guard() noexcept;

    os::unique_fd memory_;
    os::mapping map_;
    std::uint64_t identity_ = 0;
    std::atomic<unsigned> self_{nobody};
    std::atomic<std::uint64_t> watched_{0}; // membership + 1 when all of it is watched

    friend struct leave_and_delete;
    friend std::shared_ptr<object> remember_object(const std::shared_ptr<object>& o);
};

/// The object that a descriptor stands for, if somebody in this process holds it already.
std::shared_ptr<object> find_object(int memory);
/// From now on the argument is that object, unless there is one by now; returns the one that is.
std::shared_ptr<object> remember_object(const std::shared_ptr<object>& o);

/// Gives back what this process holds of the object, then forgets it.
struct leave_and_delete {
    void operator()(object* o) const noexcept;
};

template <class Noun, class... Args>
std::shared_ptr<Noun> create(Args&&... args) {
    std::shared_ptr<Noun> fresh{new Noun{std::forward<Args>(args)...}, leave_and_delete{}};
    remember_object(fresh);
    return fresh;
}

/// The object in memory that came from elsewhere; the same one for the same memory, so that a
/// process is one party, however many handles it has. Throws serialization_error if something else
/// lies there.
template <class Noun, class... Args>
std::shared_ptr<Noun> adopt(os::unique_fd memory, const Args&... args) {
    if (auto known = std::dynamic_pointer_cast<Noun>(find_object(memory.get()))) return known;
    std::shared_ptr<Noun> fresh{new Noun{std::move(memory), args...}, leave_and_delete{}};
    // Another thread may have been faster.
    auto first = std::dynamic_pointer_cast<Noun>(remember_object(fresh));
    return first != nullptr ? first : fresh;
}

} // namespace coproc::detail::shared
