// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/open_connection.hpp>

#include <coproc/error.hpp>

#include <manager/address.hpp>
#include <manager/frame_sender.hpp>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::size_t most_reply_bytes = std::size_t{1} << 40;

} // namespace

open_connection connect_to_manager(const client_address& address,
                                   std::chrono::nanoseconds timeout) {
    const auto where = manager_address::parse(address.endpoint);
    const auto until = deadline_after(timeout);
    open_connection result;
    os::unique_fd socket = connect_to(where, timeout);
    tls_transport* tls = nullptr;
    if (address.tls && !where.local) {
        tls_files files;
        files.certificate = address.certificate;
        files.private_key = address.private_key;
        files.authorities = address.authorities;
        files.verify_peer = address.verify_peer;
        files.host = address.host.empty() ? where.host : address.host;
        auto secured = make_tls_transport(std::move(socket), make_tls_context(files, false));
        tls = secured.get();
        result.link = std::move(secured);
    } else {
        result.link = make_socket_transport(std::move(socket), where.local);
    }
    result.parser.allow(frame_parser::stranger_limit, where.local ? 3 : 0);

    client_authentication greeting{address.key};
    frame_sender out;
    const auto send = [&](frame&& f) { out.push(f.header, std::move(f.payload)); };
    send(greeting.begin());
    transport& link = *result.link;
    frame in;
    for (;;) {
        const auto got = link.read(result.parser.room());
        result.parser.filled(got.bytes);
        if (tls != nullptr && tls->secured()) {
            greeting.bind(tls->binding());
            tls = nullptr;
        }
        while (result.parser.next(in)) {
            if (auto next = greeting.on_frame(in)) send(std::move(*next));
            if (!greeting.done()) continue;
            result.server = greeting.peer();
            if (where.local) {
                auto shared = link.take_descriptors(3);
                ring_descriptors rings{std::move(shared[0]), std::move(shared[1]),
                                       std::move(shared[2])};
                result.link = make_ring_transport(std::move(result.link), std::move(rings), false);
            }
            result.parser.allow(most_reply_bytes, where.local ? transport::most_descriptors : 0);
            return result;
        }
        if (!out.flush(link) || got.end)
            throw end_of_stream_error{"coproc: the manager at " + address.endpoint +
                                      " ended the connection before the key was proved"};
        if (got.bytes != 0) continue;
        const auto left = until - steady::now();
        if (left.count() <= 0 || !wait_for(link, left, !out.empty()))
            throw timeout_error{timeout_kind::waiting, "coproc: the manager at " +
                                                           address.endpoint +
                                                           " does not answer in time"};
    }
}

} // namespace coproc::detail
