// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Hosted objects to wait at: mutex, semaphore, event.

#include <manager/hosted_common.hpp>

namespace coproc::detail::hosted {
namespace {

// --- mutex ---------------------------------------------------------------------------------------

class hosted_mutex final : public hosted_objects::object {
public:
    explicit hosted_mutex(std::string type) : object{hosted_kind::mutex, std::move(type)} {}

    void handle(hosted_objects& host, hosted_request& request, deadline until) override {
        switch (op_of(request)) {
        case manager_op::mutex_lock:
            if (owner_died_) {
                owner_died_ = false;
                return host.answer(request.client, request.header.id,
                                   {manager_status::owner_died, {}, {}});
            }
            if (owner_ == 0) {
                owner_ = request.client;
                return done(host, request);
            }
            if (request.header.timeout == do_not_wait)
                return host.answer(request.client, request.header.id,
                                   {manager_status::timed_out, {}, {}});
            return host.park(*this, waiting_, waiter_for(request, until));
        case manager_op::mutex_unlock:
            if (owner_ != request.client)
                return host.refuse(request.client, request.header.id, manager_status::not_owner,
                                   owner_ == 0
                                       ? "coproc: unlock of a manager's mutex that is not locked"
                                       : "coproc: unlock of a manager's mutex that another "
                                         "program has locked");
            done(host, request);
            owner_ = 0;
            return next(host);
        default:
            wrong_op(*this);
        }
    }
    void leave(hosted_objects& host, client_id client) override {
        if (owner_ != client) return;
        owner_ = 0;
        owner_died_ = true;
        next(host);
    }
    void give_back(hosted_objects& host, hosted_request& request) override {
        if (owner_ != request.client) return;
        owner_ = 0;
        next(host);
    }

private:
    void next(hosted_objects& host) {
        if (owner_died_ && !waiting_.empty()) {
            const waiter w = host.unpark(waiting_, waiting_.begin());
            owner_died_ = false;
            host.answer(w.client, w.request, {manager_status::owner_died, {}, {}});
        }
        if (owner_died_ || owner_ != 0 || waiting_.empty()) return;
        const waiter w = host.unpark(waiting_, waiting_.begin());
        owner_ = w.client;
        host.answer(w.client, w.request, {});
    }

    client_id owner_ = 0;
    bool owner_died_ = false;
    waiters waiting_;
};

// --- semaphore -----------------------------------------------------------------------------------

class hosted_semaphore final : public hosted_objects::object {
public:
    hosted_semaphore(std::string type, std::uint64_t count, std::uint64_t most)
        : object{hosted_kind::semaphore, std::move(type)}, count_{count}, most_{most} {}

    void handle(hosted_objects& host, hosted_request& request, deadline until) override {
        reader r{request.payload};
        switch (op_of(request)) {
        case manager_op::semaphore_acquire:
            if (count_ != 0) { // whoever waits is given permits first, so nobody does
                --count_;
                return done(host, request);
            }
            if (request.header.timeout == do_not_wait)
                return host.answer(request.client, request.header.id,
                                   {manager_status::timed_out, {}, {}});
            return host.park(*this, waiting_, waiter_for(request, until));
        case manager_op::semaphore_release: {
            const auto more = r.raw<std::uint64_t>();
            if (more > most_ - count_)
                return host.refuse(request.client, request.header.id, manager_status::overflow,
                                   "coproc: a manager's semaphore was released beyond its bound");
            done(host, request);
            return add(host, more);
        }
        case manager_op::semaphore_value:
            return answer_raw(host, request, count_);
        default:
            wrong_op(*this);
        }
    }

    void give_back(hosted_objects& host, hosted_request&) override {
        if (count_ != most_) add(host, 1);
    }

private:
    void add(hosted_objects& host, std::uint64_t more) {
        count_ += more;
        while (count_ != 0 && !waiting_.empty()) {
            const waiter w = host.unpark(waiting_, waiting_.begin());
            --count_;
            host.answer(w.client, w.request, {});
        }
    }

    std::uint64_t count_;
    std::uint64_t most_;
    waiters waiting_;
};

// --- event ---------------------------------------------------------------------------------------

class hosted_event final : public hosted_objects::object {
public:
    explicit hosted_event(std::string type) : object{hosted_kind::event, std::move(type)} {}

    void handle(hosted_objects& host, hosted_request& request, deadline until) override {
        switch (op_of(request)) {
        case manager_op::event_set:
            set_ = true;
            done(host, request);
            while (!waiting_.empty()) {
                const waiter w = host.unpark(waiting_, waiting_.begin());
                host.answer(w.client, w.request, {});
            }
            return;
        case manager_op::event_clear:
            set_ = false;
            return done(host, request);
        case manager_op::event_is_set:
            return answer_raw(host, request, set_);
        case manager_op::event_wait:
            if (set_) return done(host, request);
            if (request.header.timeout == do_not_wait)
                return host.answer(request.client, request.header.id,
                                   {manager_status::timed_out, {}, {}});
            return host.park(*this, waiting_, waiter_for(request, until));
        default:
            wrong_op(*this);
        }
    }

private:
    bool set_ = false;
    waiters waiting_;
};

} // namespace

object_ptr make_mutex(std::string type) { return std::make_unique<hosted_mutex>(std::move(type)); }
object_ptr make_semaphore(std::string type, std::uint64_t count, std::uint64_t most) {
    return std::make_unique<hosted_semaphore>(std::move(type), count, most);
}
object_ptr make_event(std::string type) { return std::make_unique<hosted_event>(std::move(type)); }

} // namespace coproc::detail::hosted
