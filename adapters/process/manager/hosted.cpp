// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/hosted.hpp>

#include <manager/hosted_types.hpp>
#include <utility>

namespace coproc::detail {
namespace {

std::optional<hosted_objects::clock::time_point>
deadline_of(const frame_header& header, hosted_objects::clock::time_point now) {
    using clock = hosted_objects::clock;
    if (header.timeout == wait_for_ever) return std::nullopt;
    const auto most = static_cast<std::uint64_t>((clock::time_point::max() - now).count());
    if (header.timeout >= most) return std::nullopt;
    return now + std::chrono::nanoseconds{static_cast<std::int64_t>(header.timeout)};
}

} // namespace

hosted_objects::hosted_objects(hosted_effects& effects) : effects_{effects} {}

hosted_objects::~hosted_objects() {
    // Values may refer to loans.
    clients_.clear();
    objects_.clear();
}

// --- clients -------------------------------------------------------------------------------------

void hosted_objects::enter(client_id client) { clients_.try_emplace(client); }

void hosted_objects::leave(client_id client, clock::time_point now) {
    now_ = now;
    const auto found = clients_.find(client);
    if (found == clients_.end()) return;
    while (!found->second.parked.empty()) {
        const parked_at at = found->second.parked.begin()->second;
        unpark(*at.list, at.at);
        at.where->waiter_left(*this);
    }
    // The last one goes to the front first, so that the first one ends up there.
    auto& elements = found->second.unacknowledged_elements;
    for (auto each = elements.rbegin(); each != elements.rend(); ++each)
        if (const auto from = objects_.find(each->second.object); from != objects_.end())
            from->second->put_back(*this, std::move(each->second.value));
    for (const std::uint64_t ticket : found->second.loans)
        orphaned_.emplace(now_ + lost_ticket_time, ticket);
    const auto references = std::move(found->second.references);
    clients_.erase(found);
    for (const auto& [id, count] : references) {
        if (const auto what = objects_.find(id); what != objects_.end())
            what->second->leave(*this, client);
        for (std::uint64_t i = 0; i != count; ++i)
            drop(id);
    }
}

void hosted_objects::refer(client_id client, object_id id) {
    ++objects_.at(id)->references;
    ++clients_.at(client).references[id];
}

void hosted_objects::drop(object_id id) {
    const auto found = objects_.find(id);
    if (found == objects_.end() || --found->second->references != 0) return;
    const auto last = std::move(found->second); // its end may run a user's code
    objects_.erase(found);
}

void hosted_objects::release(client_id client, object_id id) {
    auto& references = clients_.at(client).references;
    const auto found = references.find(id);
    if (found == references.end())
        throw protocol_error{"coproc: a manager's client released an object that it does not have"};
    if (--found->second == 0) {
        references.erase(found);
        auto& parked = clients_.at(client).parked;
        for (auto at = parked.begin(); at != parked.end();) {
            const auto [request, place] = *at++;
            if (place.where->id == id) cancel(client, request);
        }
        // Without a reference left it cannot unlock, either.
        if (const auto what = objects_.find(id); what != objects_.end())
            what->second->leave(*this, client);
    }
    drop(id);
}

// --- answers -------------------------------------------------------------------------------------

void hosted_objects::answer(client_id client, std::uint64_t request, hosted_answer&& what) {
    effects_.answer(client, request, std::move(what));
}

void hosted_objects::refuse(client_id client, std::uint64_t request, manager_status status,
                            const std::string& why) {
    const auto* const text = reinterpret_cast<const std::byte*>(why.data());
    effects_.answer(client, request, {status, bytes_t(text, text + why.size()), {}});
}

// --- parking -------------------------------------------------------------------------------------

void hosted_objects::park(object& where, waiters& list, waiter&& w) {
    auto& client = clients_.at(w.client);
    if (client.parked.size() == most_parked) {
        refuse(w.client, w.request, manager_status::error,
               "coproc: this program has too many requests waiting at the manager");
        return;
    }
    if (client.parked.contains(w.request))
        throw protocol_error{"coproc: a manager's client used a request's number twice"};
    list.push_back(std::move(w));
    const auto at = std::prev(list.end());
    client.parked.emplace(at->request, parked_at{&where, &list, at});
    if (at->deadline) deadlines_.emplace(*at->deadline, at->client, at->request);
    ++parked_count_;
}

hosted_objects::waiter hosted_objects::unpark(waiters& list, waiters::iterator at) {
    waiter w = std::move(*at);
    list.erase(at);
    clients_.at(w.client).parked.erase(w.request);
    if (w.deadline) deadlines_.erase({*w.deadline, w.client, w.request});
    --parked_count_;
    return w;
}

void hosted_objects::cancel(client_id client, std::uint64_t request) {
    auto& parked = clients_.at(client).parked;
    const auto found = parked.find(request);
    if (found == parked.end()) return; // it has been answered meanwhile
    const parked_at at = found->second;
    unpark(*at.list, at.at);
    answer(client, request, {manager_status::cancelled, {}, {}});
    at.where->waiter_left(*this);
}

void hosted_objects::acknowledge(const hosted_request& request) {
    auto& elements = clients_.at(request.client).unacknowledged_elements;
    const auto found = elements.find(request.header.id);
    if (found == elements.end()) return;
    const hosted_value received = std::move(found->second.value);
    elements.erase(found);
    if (received.loans) received.loans->received();
}

void hosted_objects::give_back(hosted_request& request) {
    client_state& client = clients_.at(request.client);
    const auto found = objects_.find(request.header.object);
    if (found == objects_.end() || !client.references.contains(request.header.object)) return;
    const auto element = client.unacknowledged_elements.find(request.header.id);
    if (element == client.unacknowledged_elements.end())
        return found->second->give_back(*this, request);
    if (element->second.object != found->first) return;
    hosted_value value = std::move(element->second.value);
    client.unacknowledged_elements.erase(element);
    found->second->put_back(*this, std::move(value));
}

std::optional<hosted_objects::clock::time_point> hosted_objects::next_deadline() const {
    std::optional<clock::time_point> next;
    if (!deadlines_.empty()) next = std::get<0>(*deadlines_.begin());
    if (!orphaned_.empty() && (!next || orphaned_.begin()->first < *next))
        next = orphaned_.begin()->first;
    return next;
}

void hosted_objects::expire(clock::time_point now) {
    now_ = now;
    while (!deadlines_.empty() && std::get<0>(*deadlines_.begin()) <= now) {
        const auto [when, client, request] = *deadlines_.begin();
        const parked_at at = clients_.at(client).parked.at(request);
        const waiter w = unpark(*at.list, at.at);
        const auto status = at.where->kind() != hosted_kind::queue ? manager_status::timed_out
                            : w.puts                               ? manager_status::full
                                                                   : manager_status::empty;
        answer(client, request, {status, {}, {}});
        at.where->waiter_left(*this);
    }
    while (!orphaned_.empty() && orphaned_.begin()->first <= now) {
        const std::uint64_t ticket = orphaned_.begin()->second;
        orphaned_.erase(orphaned_.begin());
        if (const auto found = loans_.find(ticket); found != loans_.end()) {
            const object_id id = found->second.object;
            loans_.erase(found);
            drop(id);
        }
    }
}

void hosted_objects::sent_element(client_id client, std::uint64_t request, object& from,
                                  hosted_value value) {
    clients_.at(client).unacknowledged_elements.insert_or_assign(
        request, unacknowledged{from.id, std::move(value)});
}

// --- requests ------------------------------------------------------------------------------------

void hosted_objects::handle(hosted_request&& request, clock::time_point now) {
    const client_id client = request.client;
    const std::uint64_t id = request.header.id;
    if (!clients_.contains(client)) return;
    now_ = now;
    try {
        dispatch(request);
    } catch (const serialization_error& e) {
        refuse(client, id, manager_status::unsupported, e.what());
    } catch (const protocol_error&) {
        throw;
    } catch (const std::exception& e) { // no memory, in the main
        refuse(client, id, manager_status::error,
               std::string{"coproc: the manager cannot do this: "} + e.what());
    }
}

hosted_objects::object* hosted_objects::look_up(const hosted_request& request) {
    const auto found = objects_.find(request.header.object);
    const bool known = static_cast<manager_op>(request.header.op) == manager_op::redeem ||
                       clients_.at(request.client).references.contains(request.header.object);
    if (found != objects_.end() && known) return found->second.get();
    refuse(request.client, request.header.id, manager_status::error,
           "coproc: the manager has no such object (any more): its last proxy is gone");
    return nullptr;
}

void hosted_objects::dispatch(hosted_request& request) {
    const auto op = static_cast<manager_op>(request.header.op);
    switch (op) {
    case manager_op::release:
        release(request.client, request.header.object);
        return;
    case manager_op::lend:
        lend(request);
        return;
    case manager_op::cancel:
        cancel(request.client, request.header.id);
        return;
    case manager_op::acknowledge:
        acknowledge(request);
        return;
    case manager_op::give_back:
        give_back(request);
        return;
    case manager_op::create:
        keep_loans(request);
        create(request);
        return;
    case manager_op::redeem:
        redeem(request);
        return;
    case manager_op::publish:
    case manager_op::unpublish:
        publish(request);
        return;
    case manager_op::find:
        find(request);
        return;
    case manager_op::shutdown:
        effects_.shut_down();
        return;
    case manager_op::make:
        effects_.run(std::move(request), std::make_shared<user_object>(), 0, 0);
        return;
    default:
        break;
    }
    if (op < manager_op::dict_set || op > manager_op::call)
        throw protocol_error{"coproc: a manager's client asked for what no client asks for"};
    object* const what = look_up(request);
    if (what == nullptr) return;
    if (op == manager_op::call && what->kind() == hosted_kind::object) {
        const auto& user = static_cast<hosted_user&>(*what).user();
        effects_.run(std::move(request), user, what->id, user->one_at_a_time ? 0 : request.client);
        return;
    }
    keep_loans(request);
    what->handle(*this, request, deadline_of(request.header, now_));
}

object_id hosted_objects::add(std::unique_ptr<object> what) {
    const object_id id = next_id_++;
    what->id = id;
    objects_.emplace(id, std::move(what));
    return id;
}

void hosted_objects::answer_object(client_id client, std::uint64_t request, object_id id) {
    const object& what = *objects_.at(id);
    answer_writer w;
    w.raw(id).raw(what.kind()).text(what.type());
    answer(client, request, std::move(w.answer));
}

void hosted_objects::create(hosted_request& request) {
    reader r{request.payload};
    const auto kind = r.raw<hosted_kind>();
    auto type = decode<std::string>(r);
    if (kind < hosted_kind::dict || kind >= hosted_kind::object) malformed();
    const object_id id = add(make_hosted(kind, std::move(type), r, std::move(request.loans)));
    refer(request.client, id);
    answer_object(request.client, request.header.id, id);
}

void hosted_objects::made(client_id client, std::uint64_t request, const std::string& type,
                          std::shared_ptr<user_object> user) {
    if (!clients_.contains(client)) return;
    const object_id id = add(std::make_unique<hosted_user>(type, std::move(user)));
    refer(client, id);
    answer_object(client, request, id);
}

void hosted_objects::publish(hosted_request& request) {
    const std::string name{as_text(request.payload)};
    const auto present = names_.find(name);
    if (static_cast<manager_op>(request.header.op) == manager_op::unpublish) {
        const bool was = present != names_.end();
        if (was) {
            const object_id id = present->second;
            names_.erase(present);
            drop(id);
        }
        answer_writer w;
        w.raw(static_cast<std::uint8_t>(was));
        answer(request.client, request.header.id, std::move(w.answer));
        return;
    }
    object* const what = look_up(request);
    if (what == nullptr) return;
    ++what->references;
    if (present == names_.end()) {
        names_.emplace(name, what->id);
    } else {
        const object_id former = std::exchange(present->second, what->id);
        drop(former);
    }
    answer(request.client, request.header.id, {});
}

void hosted_objects::find(const hosted_request& request) {
    const auto found = names_.find(as_text(request.payload));
    if (found == names_.end()) {
        std::string known;
        for (const auto& [name, id] : names_) {
            if (known.size() > 200) {
                known += ", ...";
                break;
            }
            known += (known.empty() ? "\"" : ", \"") + name + '"';
        }
        refuse(
            request.client, request.header.id, manager_status::missing,
            "coproc: nothing is published as \"" + std::string{as_text(request.payload)} +
                "\" at this manager" +
                (known.empty() ? std::string{", and nothing else either"} : "; there is " + known));
        return;
    }
    refer(request.client, found->second);
    answer_object(request.client, request.header.id, found->second);
}

} // namespace coproc::detail
