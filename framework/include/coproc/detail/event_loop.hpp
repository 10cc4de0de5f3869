// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// What the library knows of an execution context of the program's, such as an io_context: which
// handlers wait there for results, so that they go with it; and which context the calling thread
// last awaited something in, so that a backend can have its results announced there.

#include <coproc/detail/patient_mutex.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace coproc::detail {

/// Something that lies in a context and ends with it. Belongs to at most one.
class loop_resident {
public:
    loop_resident() = default;
    loop_resident(const loop_resident&) = delete;
    loop_resident& operator=(const loop_resident&) = delete;

protected:
    ~loop_resident() = default;

private:
    friend class event_loop;
    friend class loop_visit;
    /// The context is being destroyed: lets go of what belongs to it. Without locks, once; at the
    /// same time another thread may find that it has moved out.
    virtual void evicted() noexcept = 0;
    /// Having moved out, it does what it has waited for: at once, the calling thread running the
    /// context, or through its queue.
    virtual void called() = 0;
    virtual void posted() noexcept = 0;

    loop_resident* previous_ = nullptr;
    loop_resident* next_ = nullptr;
    bool resident_ = false;
};

/// While a handler of an io_context takes results that are awaited there: the first of the handlers
/// that wait need not go through the context's queue, which would have it look at all its
/// descriptors before. Only one, as the last that the visiting handler does, so that nothing else
/// waits longer, a handler that stops the context stops it before the next one, and what it throws
/// is thrown by run().
class loop_visit {
public:
    explicit loop_visit(const boost::asio::io_context& context) noexcept;
    loop_visit(const loop_visit&) = delete;
    loop_visit& operator=(const loop_visit&) = delete;
    /// Posts what has not been called.
    ~loop_visit();

    /// Calls the handler. From here on others are posted.
    void call();
    /// After call(): true if the context has nothing more urgent to do. There were no other
    /// handlers, and the one that was called has not thrown, as far as that can be seen: Asio keeps
    /// what is thrown from dispatch() for run().
    [[nodiscard]] bool may_go_on() const noexcept { return may_go_on_; }

    /// On the thread that ran it, a handler has thrown.
    static void note_exception() noexcept;

private:
    friend class event_loop;
    /// Has r called by the visit that the calling thread makes to this context, or posts it.
    static void hand_over(loop_resident& r, const boost::asio::io_context* context) noexcept;
    void end() noexcept;

    const boost::asio::io_context& context_;
    loop_visit* const outer_;
    bool over_ = false;
    bool may_go_on_ = true;
    loop_resident* first_ = nullptr;
};

/// What a backend adds to a context; it may have objects in it.
class loop_annex {
public:
    loop_annex() = default;
    loop_annex(const loop_annex&) = delete;
    loop_annex& operator=(const loop_annex&) = delete;
    virtual ~loop_annex() = default;
    /// The context is being destroyed; afterwards nothing may touch it.
    virtual void torn_down() noexcept = 0;
};

/// Thread safe. Outlives its context, whose service it is.
class event_loop {
public:
    explicit event_loop(boost::asio::execution_context& context);
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    /// That of a context that is there now. Null in the child of a fork for a context of the
    /// parent's: what waits there is the parent's, and its locks may be held by threads that are
    /// not here.
    static std::shared_ptr<event_loop> of(boost::asio::execution_context& context);
    /// The one that the calling thread asked for last, until it asks for another one; or null. Its
    /// context may have gone.
    static event_loop* recent() noexcept;

    /// Its context, if it is an io_context that is there and has the calling thread run it: then it
    /// stays there until the thread returns to it.
    [[nodiscard]] boost::asio::io_context* running_here() noexcept;
    /// Its context is an io_context, which cannot be seen from the base class.
    void is(boost::asio::io_context& io) noexcept {
        if (io_.load(std::memory_order_relaxed) == nullptr)
            io_.store(&io, std::memory_order_relaxed);
    }

    void move_in(loop_resident& r) noexcept;
    /// Has it called or posted. False: r has been evicted, or is about to be.
    [[nodiscard]] bool move_out(loop_resident& r) noexcept;

    /// The backend's, made by `make()` at first use, on a thread that runs the context. Null when
    /// the context is being destroyed.
    template <class Make>
    std::shared_ptr<loop_annex> annex(Make&& make) {
        const std::scoped_lock lock{mutex_};
        if (context_ != nullptr && !annex_) annex_ = std::forward<Make>(make)();
        return annex_;
    }

    /// Its context is being destroyed.
    void tear_down() noexcept;

private:
    void unlink(loop_resident& r) noexcept;

    const unsigned generation_;
    std::atomic<boost::asio::io_context*> io_{nullptr}; // if it is known to be one
    patient_mutex mutex_;                               // of what follows
    boost::asio::execution_context* context_;
    loop_resident* residents_ = nullptr;
    std::shared_ptr<loop_annex> annex_;
};

/// The loop of the context that an executor belongs to; null if it names none.
template <class Executor>
std::shared_ptr<event_loop> loop_of(const Executor& executor) {
    namespace asio = boost::asio;
    if constexpr (std::is_same_v<Executor, asio::system_executor>) {
        return nullptr; // its context ends with the program
    } else if constexpr (std::is_same_v<Executor, asio::any_io_executor>) {
        using io_executor = asio::io_context::executor_type;
        auto loop = event_loop::of(
            asio::query(executor, asio::execution::context_as<asio::execution_context&>));
        if (const auto* io = executor.template target<io_executor>(); loop && io != nullptr)
            loop->is(asio::query(*io, asio::execution::context));
        else if (const auto* on = executor.template target<asio::strand<io_executor>>();
                 loop && on != nullptr)
            loop->is(asio::query(*on, asio::execution::context));
        return loop;
    } else if constexpr (asio::can_query_v<const Executor&, asio::execution::context_t>) {
        using context = decltype(asio::query(executor, asio::execution::context));
        if constexpr (std::is_convertible_v<context, asio::execution_context&>) {
            auto& found = asio::query(executor, asio::execution::context);
            auto loop = event_loop::of(found);
            if constexpr (std::is_convertible_v<context, asio::io_context&>)
                if (loop) loop->is(found);
            return loop;
        } else {
            return nullptr;
        }
    } else {
        return nullptr;
    }
}

} // namespace coproc::detail
