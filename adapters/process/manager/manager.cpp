// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/manager.hpp>

#include <coproc/detail/forks.hpp>

#include <algorithm>
#include <manager/address.hpp>
#include <manager/client.hpp>
#include <manager/server_process.hpp>
#include <mutex>
#include <stdexcept>
#include <utility>

namespace coproc {
namespace detail {

class manager_state {
public:
    /// How long a server may take to end by itself: destructors of users' objects run then.
    static constexpr std::chrono::seconds grace{2};
    static constexpr std::chrono::seconds start_patience{30};

    explicit manager_state(manager_options options) : authkey{std::move(options.authkey)} {
        // Both sockets listen before the process starts: whoever connects early waits a moment, and
        // an address that cannot be used is an error here and now.
        auto local = listen_locally();
        listening_socket remote;
        if (!options.endpoint.empty()) remote = listen_on(manager_address::parse(options.endpoint));
        if (authkey.empty()) authkey = make_key();
        endpoint = remote.endpoint;

        client_address address;
        address.endpoint = local.endpoint;
        address.key = make_key();

        server_settings settings;
        settings.local_key = address.key;
        settings.remote_key = authkey;
        settings.tls = options.tls.enabled;
        settings.certificate = options.tls.certificate;
        settings.private_key = options.tls.private_key;
        settings.authorities = options.tls.authorities;
        settings.verify_peer = options.tls.verify_peer;
        settings.most_message_bytes = options.max_message_bytes;
        settings.authentication_time = options.authentication_timeout;
        settings.most_strangers = std::max<std::size_t>(1, options.max_unauthenticated);
        if (settings.tls) { // what is wrong with the files is an error here, too
            tls_files files;
            files.certificate = settings.certificate;
            files.private_key = settings.private_key;
            files.authorities = settings.authorities;
            static_cast<void>(make_tls_context(files, true));
        }
        server = std::make_shared<server_process>(options.name, settings, std::move(local.socket),
                                                  std::move(remote.socket));
        try {
            client = manager_client::get(address, start_patience);
        } catch (const end_of_stream_error& e) {
            const std::string how = server->how_it_ended();
            throw bootstrap_error{how.empty() ? e.what() : how};
        }
        client->explain_end([weak = std::weak_ptr{server}] {
            const auto process = weak.lock();
            return process != nullptr
                       ? process->how_it_ended()
                       : std::string{"coproc: the manager has ended: its last handle is gone"};
        });
    }
    manager_state(const std::string& where, std::string key, const manager_connect_options& options)
        : endpoint{where}, authkey{std::move(key)} {
        client_address address;
        address.endpoint = where;
        address.key = authkey;
        address.tls = options.tls.enabled;
        address.certificate = options.tls.certificate;
        address.private_key = options.tls.private_key;
        address.authorities = options.tls.authorities;
        address.verify_peer = options.tls.verify_peer;
        address.host = options.tls.server_name;
        client = manager_client::get(address, options.timeout);
    }
    manager_state(const manager_state&) = delete;
    manager_state& operator=(const manager_state&) = delete;
    ~manager_state() {
        if (server != nullptr && generation_ == count_forks()) end();
    }

    void end() {
        const std::scoped_lock lock{ending_};
        if (server->has_ended()) return;
        client->tell(manager_op::shutdown, 0, 0);
        if (server->wait_until_ended(grace)) return;
        server->kill(); // a call of a user's that does not end, or the process is stopped
        server->wait_until_ended(grace);
    }

    std::string endpoint;
    std::string authkey;
    std::shared_ptr<server_process> server; // null: another program's
    std::shared_ptr<manager_client> client;

private:
    unsigned generation_ = count_forks();
    std::mutex ending_;
};

} // namespace detail

manager::manager() : manager{manager_options{}} {}
manager::manager(manager_options options)
    : state_{std::make_shared<detail::manager_state>(std::move(options))} {}

manager manager::connect(const std::string& endpoint, const std::string& authkey,
                         manager_connect_options options) {
    return manager{std::make_shared<detail::manager_state>(endpoint, authkey, options)};
}

namespace_proxy manager::namespace_() const {
    return create<namespace_proxy>(detail::hosted_kind::names);
}
mutex_proxy manager::mutex() const { return create<mutex_proxy>(detail::hosted_kind::mutex); }
event_proxy manager::event() const { return create<event_proxy>(detail::hosted_kind::event); }

semaphore_proxy manager::semaphore(std::size_t permits) const {
    return create<semaphore_proxy>(detail::hosted_kind::semaphore, std::uint64_t{permits},
                                   no_limit);
}
semaphore_proxy manager::bounded_semaphore(std::size_t permits) const {
    return create<semaphore_proxy>(detail::hosted_kind::semaphore, std::uint64_t{permits},
                                   std::uint64_t{permits});
}

detail::remote_reply manager::ask(detail::manager_op op, std::uint64_t object,
                                  const detail::remote_payload& what) const {
    if (waits_for_ever()) return state_->client->call(op, object, what);
    return state_->client->call_within(op, object, what, patience());
}

detail::remote_payload manager::named(std::string_view name) {
    detail::remote_payload what;
    const auto* const text = reinterpret_cast<const std::byte*>(name.data());
    what.bytes.assign(text, text + name.size());
    return what;
}

std::shared_ptr<detail::remote_target> manager::root() const { return state_->client->root(); }

detail::object_in_reply manager::made() const { return detail::object_in_reply{state_->client}; }
detail::object_in_reply manager::found(std::string_view name, const std::string& type) const {
    return {state_->client, std::string{name}, type};
}
detail::remote_ptr detail::object_in_reply::operator()(remote_reply&& reply) const {
    auto object = client_->adopt(std::move(reply));
    if (!type_.empty() && object->type() != type_)
        throw error{"coproc: \"" + name_ + "\" at the manager is a " + object->type() + ", not a " +
                    type_};
    return object;
}

detail::remote_ptr manager::create_object(detail::manager_op op,
                                          const detail::remote_payload& what) const {
    return made()(ask(op, 0, what));
}

detail::remote_ptr manager::find_object(std::string_view name, const std::string& type) const {
    return found(name, type)(ask(detail::manager_op::find, 0, named(name)));
}

std::uint64_t manager::require_own(std::string_view name, const detail::remote_ptr& object) const {
    detail::held(object);
    const std::uint64_t number = state_->client->number_of(*object);
    if (number == 0)
        throw error{"coproc: \"" + std::string{name} +
                    "\" cannot be published: the object lives at another manager"};
    return number;
}

void manager::publish_object(std::string_view name, const detail::remote_ptr& object) const {
    static_cast<void>(require_own(name, object));
    // Over the connection that holds the object, which may be another one to the same server: only
    // there the server knows that it is held. Names are the same for all.
    const auto what = named(name);
    detail::unpack<void>(waits_for_ever()
                             ? object->call(detail::manager_op::publish, what)
                             : detail::ask_within(*object, patience(), detail::manager_op::publish,
                                                  what, detail::wait_for_ever, nullptr));
}

bool manager::unpublish(std::string_view name) const {
    return detail::unpack<bool>(ask(detail::manager_op::unpublish, 0, named(name)));
}

void manager::require_same_build() const {
    if (!state_->client->same_build()) throw serialization_error{detail::other_build_text};
}

std::string manager::endpoint() const { return state_->endpoint; }
std::string manager::authkey() const { return state_->authkey; }
pid_t manager::pid() const { return state_->client->server_pid(); }
bool manager::is_alive() const noexcept { return state_->client->alive(); }

void manager::shutdown() const {
    if (state_->server == nullptr)
        throw std::logic_error{"coproc: only the program that started a manager can shut it down"};
    state_->end();
}

// --- proxies -------------------------------------------------------------------------------------

namespace {

bool unless_timed_out(detail::remote_reply reply) {
    if (reply.status() == detail::manager_status::timed_out) return false;
    detail::require_ok(reply);
    return true;
}

} // namespace

void namespace_proxy::missing(std::string_view name) {
    throw std::out_of_range{"coproc: the namespace has no \"" + std::string{name} + '"'};
}
void namespace_proxy::wrong_type(std::string_view name, const std::string& stored,
                                 const std::string& wanted) {
    throw error{"coproc: \"" + std::string{name} + "\" in the namespace is of type " + stored +
                ", not " + wanted};
}

bool mutex_proxy::try_lock_for(duration timeout) const {
    return unless_timed_out(ask(op::mutex_lock, {}, detail::as_timeout(timeout)));
}
void mutex_proxy::unlock() const {
    try {
        get_(op::mutex_unlock);
    } catch (const end_of_stream_error&) {
        // The server has unlocked it, or is gone itself.
    } catch (const timeout_error&) {
        // The request is on its way, and guards unlock in their destructors.
    }
}
bool semaphore_proxy::try_acquire_for(duration timeout) const {
    return unless_timed_out(ask(op::semaphore_acquire, {}, detail::as_timeout(timeout)));
}
bool event_proxy::wait_for(duration timeout) const {
    return unless_timed_out(ask(op::event_wait, {}, detail::as_timeout(timeout)));
}

} // namespace coproc
