// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/hosted_types.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace coproc::detail {
namespace {

using clock = hosted_objects::clock;
using waiter = hosted_objects::waiter;
using waiters = hosted_objects::waiters;
using deadline = std::optional<clock::time_point>;

[[noreturn]] void wrong_op(const hosted_objects::object& what) {
    throw serialization_error{"coproc: the object is a " + what.type() +
                              ", which has no such operation"};
}

void done(hosted_objects& host, const hosted_request& request) {
    host.answer(request.client, request.header.id, {});
}

template <class T>
void answer_raw(hosted_objects& host, const hosted_request& request, T value) {
    answer_writer w;
    w.raw(value);
    host.answer(request.client, request.header.id, std::move(w.answer));
}

void missing(hosted_objects& host, const hosted_request& request, const std::string& why) {
    host.refuse(request.client, request.header.id, manager_status::missing, why);
}

manager_op op_of(const hosted_request& request) noexcept {
    return static_cast<manager_op>(request.header.op);
}

waiter waiter_for(const hosted_request& request, deadline until) {
    waiter w;
    w.client = request.client;
    w.request = request.header.id;
    w.deadline = until;
    return w;
}

// --- dict, names: by key, in the order of insertion ------------------------------------------------

class entries {
public:
    struct entry {
        bytes_t key;
        hosted_value value;
    };
    using list = std::list<entry>;

    hosted_value* find(const bytes_t& key) {
        const auto found = index_.find(as_text(key));
        return found == index_.end() ? nullptr : &found->second->value;
    }
    void set(bytes_t key, hosted_value value) {
        if (hosted_value* const present = find(key)) {
            *present = std::move(value);
            return;
        }
        order_.push_back({std::move(key), std::move(value)});
        index_.emplace(as_text(order_.back().key), std::prev(order_.end()));
    }
    std::optional<hosted_value> take(const bytes_t& key) {
        const auto found = index_.find(as_text(key));
        if (found == index_.end()) return std::nullopt;
        const auto at = found->second;
        hosted_value value = std::move(at->value);
        index_.erase(found);
        order_.erase(at);
        return value;
    }
    void clear() {
        index_.clear();
        order_.clear();
    }
    [[nodiscard]] std::uint64_t size() const noexcept { return order_.size(); }
    [[nodiscard]] const list& all() const noexcept { return order_; }

private:
    list order_;
    std::unordered_map<std::string_view, list::iterator> index_; // views of the keys in order_
};

bytes_t take_key(reader& r) {
    const std::size_t size = r.count(1);
    const std::byte* const from = r.bytes(size);
    return {from, from + size};
}

class hosted_dict final : public hosted_objects::object {
public:
    hosted_dict(hosted_kind kind, std::string type) : object{kind, std::move(type)} {}

    void handle(hosted_objects& host, hosted_request& request, deadline) override {
        reader r{request.payload};
        switch (op_of(request)) {
        case manager_op::dict_set:
        case manager_op::name_set: {
            bytes_t key = take_key(r);
            entries_.set(std::move(key), rest_of(request, r));
            return done(host, request);
        }
        case manager_op::dict_at:
        case manager_op::name_get:
            if (const hosted_value* const found = entries_.find(take_key(r)))
                return host.answer(request.client, request.header.id, value_answer(*found));
            return missing(host, request, "coproc: the " + type() + " has no such key");
        case manager_op::dict_take:
            if (auto taken = entries_.take(take_key(r)))
                return host.answer(request.client, request.header.id,
                                   value_answer(std::move(*taken)));
            return missing(host, request, "coproc: the " + type() + " has no such key");
        case manager_op::dict_contains:
        case manager_op::name_contains:
            return answer_raw(host, request, entries_.find(take_key(r)) != nullptr);
        case manager_op::dict_erase:
        case manager_op::name_erase:
            return answer_raw(host, request, entries_.take(take_key(r)).has_value());
        case manager_op::dict_size:
            return answer_raw(host, request, entries_.size());
        case manager_op::dict_clear:
            entries_.clear();
            return done(host, request);
        case manager_op::dict_keys:
        case manager_op::name_list:
            return all(host, request, true, false);
        case manager_op::dict_values:
            return all(host, request, false, true);
        case manager_op::dict_items:
            return all(host, request, true, true);
        default:
            wrong_op(*this);
        }
    }

private:
    void all(hosted_objects& host, const hosted_request& request, bool keys, bool values) {
        answer_writer w;
        w.raw(entries_.size());
        for (const auto& [key, value] : entries_.all()) {
            if (keys) w.counted(key);
            if (values) w.counted(value);
        }
        host.answer(request.client, request.header.id, std::move(w.answer));
    }

    entries entries_;
};

// --- list, array ---------------------------------------------------------------------------------

class hosted_list final : public hosted_objects::object {
public:
    hosted_list(hosted_kind kind, std::string type, std::uint64_t count, const bytes_t& value)
        : object{kind, std::move(type)} {
        if (count > most_elements)
            throw serialization_error{"coproc: a manager's array can have at most 2^32 elements"};
        elements_.resize(static_cast<std::size_t>(count), hosted_value{value, {}});
    }

    void handle(hosted_objects& host, hosted_request& request, deadline) override {
        reader r{request.payload};
        const auto op = op_of(request);
        if (kind() == hosted_kind::array && op != manager_op::list_at &&
            op != manager_op::list_set && op != manager_op::list_size &&
            op != manager_op::list_items)
            wrong_op(*this);
        switch (op) {
        case manager_op::list_push:
            elements_.push_back(rest_of(request, r));
            return done(host, request);
        case manager_op::list_at:
            if (const auto i = index(host, request, r, 0))
                host.answer(request.client, request.header.id, value_answer(elements_[*i]));
            return;
        case manager_op::list_set:
            if (const auto i = index(host, request, r, 0)) {
                elements_[*i] = rest_of(request, r);
                done(host, request);
            }
            return;
        case manager_op::list_insert:
            if (const auto i = index(host, request, r, 1)) {
                elements_.insert(elements_.begin() + static_cast<std::ptrdiff_t>(*i),
                                 rest_of(request, r));
                done(host, request);
            }
            return;
        case manager_op::list_take:
        case manager_op::list_erase:
            if (const auto i = index(host, request, r, 0)) {
                const auto at = elements_.begin() + static_cast<std::ptrdiff_t>(*i);
                hosted_value taken = std::move(*at);
                elements_.erase(at);
                if (op == manager_op::list_erase) return done(host, request);
                host.answer(request.client, request.header.id, value_answer(std::move(taken)));
            }
            return;
        case manager_op::list_pop:
            if (elements_.empty()) return missing(host, request, "coproc: the list is empty");
            {
                hosted_value taken = std::move(elements_.back());
                elements_.pop_back();
                host.answer(request.client, request.header.id, value_answer(std::move(taken)));
            }
            return;
        case manager_op::list_size:
            return answer_raw(host, request, static_cast<std::uint64_t>(elements_.size()));
        case manager_op::list_clear:
            elements_.clear();
            return done(host, request);
        case manager_op::list_items: {
            answer_writer w;
            w.raw(static_cast<std::uint64_t>(elements_.size()));
            for (const hosted_value& each : elements_)
                w.counted(each);
            return host.answer(request.client, request.header.id, std::move(w.answer));
        }
        default:
            wrong_op(*this);
        }
    }

private:
    static constexpr std::uint64_t most_elements = std::uint64_t{1} << 32;

    std::optional<std::size_t> index(hosted_objects& host, const hosted_request& request, reader& r,
                                     std::size_t beyond) {
        const auto i = r.raw<std::uint64_t>();
        if (i < elements_.size() + beyond) return static_cast<std::size_t>(i);
        missing(host, request,
                "coproc: index " + std::to_string(i) + " of a " + type() + " of " +
                    std::to_string(elements_.size()));
        return std::nullopt;
    }

    std::deque<hosted_value> elements_;
};

// --- value ---------------------------------------------------------------------------------------

class hosted_single final : public hosted_objects::object {
public:
    hosted_single(std::string type, hosted_value value)
        : object{hosted_kind::value, std::move(type)}, value_{std::move(value)} {}

    void handle(hosted_objects& host, hosted_request& request, deadline) override {
        const reader r{request.payload};
        switch (op_of(request)) {
        case manager_op::value_load:
            return host.answer(request.client, request.header.id, value_answer(value_));
        case manager_op::value_store:
            value_ = rest_of(request, r);
            return done(host, request);
        case manager_op::value_exchange:
            return host.answer(request.client, request.header.id,
                               value_answer(std::exchange(value_, rest_of(request, r))));
        default:
            wrong_op(*this);
        }
    }

private:
    hosted_value value_;
};

// --- queue ---------------------------------------------------------------------------------------

class hosted_queue final : public hosted_objects::object {
public:
    hosted_queue(std::string type, std::uint64_t most)
        : object{hosted_kind::queue, std::move(type)}, most_{most} {}

    void handle(hosted_objects& host, hosted_request& request, deadline until) override {
        const reader r{request.payload};
        const auto refuse = [&](manager_status status) {
            host.answer(request.client, request.header.id, {status, {}, {}});
        };
        switch (op_of(request)) {
        case manager_op::queue_put: {
            if (closed_) return refuse(manager_status::closed);
            const bool room = most_ == 0 || elements_.size() < most_;
            if (!room && request.header.timeout == do_not_wait) return refuse(manager_status::full);
            if (!room) {
                waiter w = waiter_for(request, until);
                w.puts = true;
                w.value = rest_of(request, r);
                return host.park(*this, putters_, std::move(w));
            }
            elements_.push_back(rest_of(request, r));
            done(host, request);
            return serve(host);
        }
        case manager_op::queue_get:
            if (!elements_.empty()) {
                give(host, request.client, request.header.id);
                return serve(host);
            }
            if (closed_) return refuse(manager_status::closed);
            if (request.header.timeout == do_not_wait) return refuse(manager_status::empty);
            return host.park(*this, getters_, waiter_for(request, until));
        case manager_op::queue_state: {
            answer_writer w;
            w.raw(static_cast<std::uint64_t>(elements_.size()))
                .raw(most_)
                .raw(static_cast<std::uint8_t>(closed_));
            return host.answer(request.client, request.header.id, std::move(w.answer));
        }
        case manager_op::queue_close: {
            closed_ = true;
            done(host, request);
            end_waiters(host, putters_);
            if (elements_.empty()) end_waiters(host, getters_);
            return;
        }
        default:
            wrong_op(*this);
        }
    }
    void put_back(hosted_objects& host, hosted_value&& value) override {
        elements_.push_front(std::move(value));
        serve(host);
    }
    void give_back(hosted_objects& host, hosted_request& request) override {
        put_back(host, rest_of(request, reader{request.payload}));
    }

private:
    void give(hosted_objects& host, client_id client, std::uint64_t request) {
        hosted_value value = std::move(elements_.front());
        elements_.pop_front();
        hosted_answer answer = value_answer(value);
        host.sent_element(client, request, *this, std::move(value));
        host.answer(client, request, std::move(answer));
    }
    void serve(hosted_objects& host) {
        for (;;) {
            if (!elements_.empty() && !getters_.empty()) {
                const waiter w = host.unpark(getters_, getters_.begin());
                give(host, w.client, w.request);
            } else if (!putters_.empty() && elements_.size() < most_) {
                waiter w = host.unpark(putters_, putters_.begin());
                elements_.push_back(std::move(w.value));
                host.answer(w.client, w.request, {});
            } else {
                break;
            }
        }
        if (closed_ && elements_.empty()) end_waiters(host, getters_);
    }
    static void end_waiters(hosted_objects& host, waiters& list) {
        while (!list.empty()) {
            const waiter w = host.unpark(list, list.begin());
            host.answer(w.client, w.request, {manager_status::closed, {}, {}});
        }
    }

    std::uint64_t most_;
    bool closed_ = false;
    std::deque<hosted_value> elements_;
    waiters getters_;
    waiters putters_;
};

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

std::unique_ptr<hosted_objects::object> make_hosted(hosted_kind kind, std::string type, reader& r) {
    const auto rest = [&r] {
        const std::size_t size = r.left();
        const std::byte* const from = r.bytes(size);
        return bytes_t(from, from + size);
    };
    switch (kind) {
    case hosted_kind::dict:
    case hosted_kind::names:
        return std::make_unique<hosted_dict>(kind, std::move(type));
    case hosted_kind::list:
        return std::make_unique<hosted_list>(kind, std::move(type), 0, bytes_t{});
    case hosted_kind::array: {
        const auto count = r.raw<std::uint64_t>();
        return std::make_unique<hosted_list>(kind, std::move(type), count, rest());
    }
    case hosted_kind::value:
        return std::make_unique<hosted_single>(std::move(type), hosted_value{rest(), {}});
    case hosted_kind::queue:
        return std::make_unique<hosted_queue>(std::move(type), r.raw<std::uint64_t>());
    case hosted_kind::mutex:
        return std::make_unique<hosted_mutex>(std::move(type));
    case hosted_kind::semaphore: {
        const auto count = r.raw<std::uint64_t>();
        const auto most = r.raw<std::uint64_t>();
        if (count > most) malformed();
        return std::make_unique<hosted_semaphore>(std::move(type), count, most);
    }
    case hosted_kind::event:
        return std::make_unique<hosted_event>(std::move(type));
    case hosted_kind::object:
        break;
    }
    malformed();
}

} // namespace coproc::detail
