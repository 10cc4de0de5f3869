// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <coproc/dummy/manager.hpp>

#include <coproc/cpu_count.hpp>
#include <coproc/detail/exception_codec.hpp>
#include <coproc/detail/type_name.hpp>

#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <algorithm>
#include <map>
#include <mutex>
#include <random>
#include <stdexcept>
#include <system_error>
#include <unistd.h>

namespace coproc::detail::threads {

void throw_empty_proxy() {
    throw std::logic_error{"coproc: this proxy is empty; a manager makes one: "
                           "manager.dict<K, V>(), manager.list<T>(), ..."};
}

std::size_t checked_index(std::size_t size, std::size_t index, const char* what) {
    if (index < size) return index;
    throw std::out_of_range{"coproc: index " + std::to_string(index) + " of " + what + " of " +
                            std::to_string(size)};
}

void throw_gave_up() {
    throw timeout_error{timeout_error::waiting,
                        "coproc: the manager did not answer within the time given"};
}
void throw_needs_reference() {
    throw std::logic_error{"coproc: a call through within() gets copies of its arguments, with "
                           "which this function cannot be called"};
}

boost::asio::any_io_executor call_lane() {
    // Never destroyed: calls may be under way at exit.
    static auto& threads =
        *new boost::asio::thread_pool{std::max<std::size_t>(4, coproc::cpu_count())};
    return boost::asio::make_strand(threads.get_executor());
}

void rethrow_from_call() {
    failure_info where;
    where.worker_name = "manager";
    where.worker_pid = ::getpid();
    std::rethrow_exception(local_failure(std::current_exception(), std::move(where)));
}

namespace {

/// Managers of this program, by their endpoints.
struct directory {
    std::mutex mutex;
    std::map<std::string, std::weak_ptr<manager_state>> managers;
    unsigned next_port = 49152;
};
directory& all_managers() {
    static auto& instance = *new directory;
    return instance;
}

std::string random_key() {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::random_device random;
    std::string key;
    for (int i = 0; i != 64; ++i)
        key += digits[random() % 16];
    return key;
}

std::string described(const std::type_info& type) { return unwrapped_type_name(type); }

} // namespace

class manager_state {
public:
    std::string endpoint{};
    std::string authkey{};
    std::mutex mutex{}; // of what follows
    entries<std::string, named_value> published{};
    bool open = true;
};

} // namespace coproc::detail::threads

namespace coproc::dummy {

namespace threads = detail::threads;

manager::manager() : state_{std::make_shared<threads::manager_state>()} {
    state_->authkey = threads::random_key();
}

manager::manager(manager_options options) : state_{std::make_shared<threads::manager_state>()} {
    state_->authkey = options.authkey.empty() ? threads::random_key() : std::move(options.authkey);
    if (options.endpoint.empty()) return;
    std::string where = std::move(options.endpoint);
    const auto colon = where.rfind(':');
    if (!where.starts_with("tcp://") || colon < 6 || colon + 1 == where.size())
        throw std::invalid_argument{"coproc: \"" + where +
                                    "\" is not the address of a manager; one looks like "
                                    "tcp://127.0.0.1:5000, tcp://[::1]:5000 or tcp://host:0"};
    threads::directory& all = threads::all_managers();
    const std::scoped_lock lock{all.mutex};
    std::erase_if(all.managers, [](const auto& each) { return each.second.expired(); });
    if (where.substr(colon) == ":0") {
        do
            state_->endpoint = where.substr(0, colon + 1) + std::to_string(all.next_port++);
        while (all.managers.contains(state_->endpoint));
    } else {
        state_->endpoint = std::move(where);
        if (all.managers.contains(state_->endpoint))
            throw std::system_error{std::make_error_code(std::errc::address_in_use),
                                    "coproc: listen at " + state_->endpoint};
    }
    all.managers.emplace(state_->endpoint, state_);
}

manager manager::connect(const std::string& endpoint, const std::string& authkey,
                         const manager_connect_options&) {
    threads::directory& all = threads::all_managers();
    std::shared_ptr<threads::manager_state> found;
    {
        const std::scoped_lock lock{all.mutex};
        const auto at = all.managers.find(endpoint);
        if (at != all.managers.end()) found = at->second.lock();
    }
    if (found == nullptr)
        throw end_of_stream_error{"coproc: no manager of this program answers at " + endpoint};
    if (found->authkey != authkey)
        throw authentication_error{"coproc: the manager did not accept the key"};
    return manager{std::move(found)};
}

namespace_proxy manager::namespace_() const {
    return make_proxy<namespace_proxy, threads::names>();
}
mutex_proxy manager::mutex() const {
    require_open();
    return {};
}
semaphore_proxy manager::semaphore(std::size_t permits) const {
    require_open();
    return semaphore_proxy{permits};
}
semaphore_proxy manager::bounded_semaphore(std::size_t permits) const {
    require_open();
    return semaphore_proxy{dummy::bounded_semaphore{permits}};
}
event_proxy manager::event() const {
    require_open();
    return {};
}

void manager::publish_value(std::string_view name, threads::named_value value) const {
    require_open();
    const std::scoped_lock lock{state_->mutex};
    state_->published.set(std::string{name}, std::move(value));
}
bool manager::unpublish(std::string_view name) const {
    require_open();
    const std::scoped_lock lock{state_->mutex};
    return state_->published.take(std::string{name}).has_value();
}
std::shared_ptr<const void> manager::find_value(std::string_view name,
                                                const std::type_info& type) const {
    require_open();
    const std::scoped_lock lock{state_->mutex};
    const auto found = state_->published.find(std::string{name});
    if (found == state_->published.all().end())
        throw std::out_of_range{"coproc: nothing is published as \"" + std::string{name} +
                                "\" at this manager"};
    if (*found->second.type != type)
        throw error{"coproc: \"" + std::string{name} + "\" at the manager is a " +
                    threads::described(*found->second.type) + ", not a " +
                    threads::described(type)};
    return found->second.value;
}

void manager::require_open() const {
    const std::scoped_lock lock{state_->mutex};
    if (!state_->open) throw end_of_stream_error{"coproc: the manager was shut down"};
}
std::string manager::endpoint() const { return state_->endpoint; }
std::string manager::authkey() const { return state_->authkey; }
pid_t manager::pid() const noexcept { return ::getpid(); }
bool manager::is_alive() const noexcept {
    const std::scoped_lock lock{state_->mutex};
    return state_->open;
}
void manager::shutdown() const {
    if (!started_) throw std::logic_error{"coproc: only who started a manager can shut it down"};
    {
        const std::scoped_lock lock{state_->mutex};
        state_->open = false;
        state_->published.clear();
    }
    threads::directory& all = threads::all_managers();
    const std::scoped_lock lock{all.mutex};
    std::erase_if(all.managers, [this](const auto& each) {
        return each.first == state_->endpoint && each.second.lock() == state_;
    });
}

// --- namespace_proxy -----------------------------------------------------------------------------

bool namespace_proxy::contains(std::string_view name) const {
    return locked([&](auto& all) { return all.find(std::string{name}) != all.all().end(); });
}
bool namespace_proxy::erase(std::string_view name) const {
    return locked([&](auto& all) { return all.take(std::string{name}).has_value(); });
}
std::vector<std::string> namespace_proxy::names() const {
    return locked([](auto& all) {
        std::vector<std::string> out;
        for (const auto& [name, value] : all.all())
            out.push_back(name);
        return out;
    });
}
std::shared_ptr<const void> namespace_proxy::look_up(std::string_view name,
                                                     const std::type_info& type) const {
    return locked([&](auto& all) {
        const auto found = all.find(std::string{name});
        if (found == all.all().end())
            throw std::out_of_range{"coproc: the namespace has no \"" + std::string{name} + '"'};
        if (*found->second.type != type)
            throw error{"coproc: \"" + std::string{name} + "\" in the namespace is of type " +
                        threads::described(*found->second.type) + ", not " +
                        threads::described(type)};
        return found->second.value;
    });
}

} // namespace coproc::dummy
