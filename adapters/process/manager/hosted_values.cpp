// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Hosted objects that keep values: dict and names, list and array, value, queue.

#include <algorithm>
#include <deque>
#include <iterator>
#include <list>
#include <manager/hosted_common.hpp>
#include <string_view>
#include <unordered_map>

namespace coproc::detail::hosted {
namespace {

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
    hosted_list(hosted_kind kind, std::string type, std::uint64_t count, const hosted_value& value)
        : object{kind, std::move(type)} {
        if (count > most_elements)
            throw serialization_error{"coproc: a manager's array can have at most 2^32 elements"};
        elements_.resize(static_cast<std::size_t>(count), value);
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
                "coproc: index " + std::to_string(i) +
                    (kind() == hosted_kind::array ? " of an array of " : " of a list of ") +
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
            append(rest_of(request, r));
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
        // Several may come back, in whatever order.
        const auto behind = std::ranges::find_if(
            elements_, [&](const hosted_value& each) { return each.place > value.place; });
        elements_.insert(behind, std::move(value));
        serve(host);
    }
    void give_back(hosted_objects& host, hosted_request& request) override {
        put_back(host, rest_of(request, reader{request.payload}));
    }

private:
    void append(hosted_value&& value) {
        value.place = ++places_;
        elements_.push_back(std::move(value));
    }
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
                append(std::move(w.value));
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
    std::uint64_t places_ = 0; // given
    std::deque<hosted_value> elements_;
    waiters getters_;
    waiters putters_;
};

} // namespace

object_ptr make_dict(hosted_kind kind, std::string type) {
    return std::make_unique<hosted_dict>(kind, std::move(type));
}
object_ptr make_list(hosted_kind kind, std::string type, std::uint64_t count,
                     const hosted_value& value) {
    return std::make_unique<hosted_list>(kind, std::move(type), count, value);
}
object_ptr make_single(std::string type, hosted_value value) {
    return std::make_unique<hosted_single>(std::move(type), std::move(value));
}
object_ptr make_queue(std::string type, std::uint64_t most) {
    return std::make_unique<hosted_queue>(std::move(type), most);
}

} // namespace coproc::detail::hosted
