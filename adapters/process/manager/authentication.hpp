// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// Both sides prove that they know the key, and neither sends it:
//
//     client                                           server
//     hello {magic, protocol, nonce of the client}
//                                                      challenge {nonce of the server}
//     proof {HMAC(key, "client", nonces, binding)}
//                                                      counterproof {HMAC(key, "server", ...)}
//     enter {library, byte order, build id}
//                                                      welcome {library, build id, pid,
//                                                               instance} | refused
//
// HMAC-SHA256. The labels keep one side's proof from being played back as the other's, the nonces
// keep yesterday's from being played back today. The binding is key material of the TLS connection,
// where there is one: whoever stands between the two sides has another one on each side, and cannot
// pass a proof on. Before the proofs nothing is told but random bytes.
//
// No I/O here: a frame comes in, a frame goes out.

#include <array>
#include <manager/frame.hpp>
#include <optional>
#include <string>

namespace coproc::detail {

inline constexpr std::uint32_t manager_protocol_version = 1;

using nonce = std::array<std::byte, 32>;
nonce make_nonce();
/// Random bytes as text.
std::string make_key();

/// What a side says of itself once the key has been proved.
struct manager_peer {
    std::string library;  // version of coproc, and how it lays out values
    std::string build_id; // of the program: its functions have a name only in the same build
    std::uint64_t pid = 0;
    // A random number of the server's process, the same for all its clients: whoever is connected
    // twice can tell that it is one server. 0 for a client, which does not say. Last in its frame,
    // and in the server's only: other versions of the library can still be told apart.
    std::uint64_t instance = 0;

    static manager_peer self();
};

/// How long it takes is the caller's matter. A step that throws protocol_error or
/// authentication_error ends the connection.
class server_authentication {
public:
    explicit server_authentication(std::string key, nonce own = make_nonce());
    /// Of a TLS connection.
    void bind(std::string binding) { binding_ = std::move(binding); }

    /// What to answer; the answer to a wrong proof is `refused`, and then rejected() holds.
    frame on_frame(const frame& in);
    [[nodiscard]] bool proved() const noexcept { return state_ >= state::entering; }
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }
    [[nodiscard]] bool rejected() const noexcept { return state_ == state::rejected; }
    [[nodiscard]] const manager_peer& peer() const noexcept { return peer_; }

private:
    enum class state { fresh, challenged, rejected, entering, done };

    std::string key_;
    std::string binding_;
    nonce own_;
    nonce theirs_{};
    state state_ = state::fresh;
    manager_peer peer_;
};

class client_authentication {
public:
    explicit client_authentication(std::string key, nonce own = make_nonce());
    void bind(std::string binding) { binding_ = std::move(binding); }

    [[nodiscard]] frame begin() const;
    /// The next frame to send, or nothing: done. Throws authentication_error when either side's
    /// proof is wrong, coproc::error when the server refuses for another reason.
    std::optional<frame> on_frame(const frame& in);
    [[nodiscard]] bool done() const noexcept { return state_ == state::done; }
    [[nodiscard]] const manager_peer& peer() const noexcept { return peer_; }

private:
    enum class state { greeted, proving, entering, done };

    std::string key_;
    std::string binding_;
    nonce own_;
    nonce theirs_{};
    state state_ = state::greeted;
    manager_peer peer_;
};

/// A frame that says why a connection ends.
frame refusal_frame(const std::string& why, bool of_the_key);

} // namespace coproc::detail
