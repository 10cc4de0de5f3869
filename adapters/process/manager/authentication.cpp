// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <manager/authentication.hpp>

#include <coproc/codec.hpp>
#include <coproc/detail/forks.hpp>
#include <coproc/detail/function_id.hpp>
#include <src/fork_guard.hpp>

#include <atomic>
#include <bit>
#include <cstring>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <span>
#include <string_view>
#include <unistd.h>
#include <utility>

namespace coproc::detail {
namespace {

constexpr std::uint64_t magic = 0x31726763'6f727063; // "cprocgr1"

using proof = std::array<std::byte, 32>;

proof prove(const std::string& key, std::string_view side, const nonce& client, const nonce& server,
            const std::string& binding) {
    std::string text{"coproc manager 1 "};
    text += side;
    text += '\0';
    for (const nonce* each : {&client, &server})
        text.append(reinterpret_cast<const char*>(each->data()), each->size());
    text += binding;
    // HMAC itself takes a key and the same key with a zero at its end for the same.
    proof digest{};
    proof result{};
    unsigned length = 0;
    ::EVP_Digest(key.data(), key.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                 EVP_sha256(), nullptr);
    const void* const done =
        ::HMAC(EVP_sha256(), digest.data(), static_cast<int>(digest.size()),
               reinterpret_cast<const unsigned char*>(text.data()), text.size(),
               reinterpret_cast<unsigned char*>(result.data()), &length);
    if (done == nullptr || length != result.size())
        throw authentication_error{"coproc: HMAC-SHA256 is not available"};
    return result;
}

bool same(const proof& a, const proof& b) noexcept {
    return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

template <class... T>
frame make_frame(manager_op op, const T&... values) {
    frame out;
    sizer s;
    (size(s, values), ...);
    out.payload.resize(s.size());
    writer w{out.payload};
    (encode(w, values), ...);
    out.header.op = static_cast<std::uint16_t>(op);
    out.header.size = out.payload.size();
    return out;
}

void expect(const frame& in, manager_op op) {
    if (in.op() != op)
        throw protocol_error{"coproc: a manager's peer does not speak the manager's protocol"};
}

frame enter_frame(const manager_peer& self) {
    return make_frame(manager_op::enter, self.library, self.build_id, self.pid);
}

manager_peer decode_peer(reader& r) {
    manager_peer peer;
    peer.library = decode<std::string>(r);
    peer.build_id = decode<std::string>(r);
    peer.pid = decode<std::uint64_t>(r);
    return peer;
}

void random_bytes(std::span<std::byte> out) {
    if (::RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) !=
        1)
        throw authentication_error{"coproc: the system gives no random bytes"};
}

/// 0: not made yet. A fork's child makes its own: it is another server, if it is one.
constinit std::atomic<std::uint64_t> own_instance{0};

const made_before_main made_early{
    [] { on_fork_in_child([]() noexcept { own_instance.store(0, std::memory_order_relaxed); }); }};

std::uint64_t instance_of_process() {
    std::uint64_t known = own_instance.load(std::memory_order_relaxed);
    while (known == 0) {
        const nonce random = make_nonce();
        std::uint64_t fresh = 0;
        std::memcpy(&fresh, random.data(), sizeof fresh);
        // Another thread may be faster: then its number holds.
        if (own_instance.compare_exchange_strong(known, fresh, std::memory_order_relaxed))
            known = fresh;
    }
    return known;
}

const char* const wrong_key = "coproc: the manager did not accept the key";

} // namespace

nonce make_nonce() {
    nonce result;
    random_bytes(result);
    return result;
}

std::string make_key() {
    const nonce bytes = make_nonce();
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const std::byte b : bytes) {
        text += digits[std::to_integer<unsigned>(b) >> 4];
        text += digits[std::to_integer<unsigned>(b) & 15U];
    }
    return text;
}

manager_peer manager_peer::self() {
    manager_peer peer;
    peer.library = "coproc " COPROC_VERSION ", ";
    peer.library += std::endian::native == std::endian::little ? "little" : "big";
    peer.library += " endian, " + std::to_string(8 * sizeof(void*)) + " bits, long double " +
                    std::to_string(fixed_size<long double>) + ", wchar_t " +
                    std::to_string(sizeof(wchar_t));
    peer.build_id = program_build_id();
    peer.pid = static_cast<std::uint64_t>(::getpid());
    return peer;
}

frame refusal_frame(const std::string& why, bool of_the_key) {
    return make_frame(manager_op::refused, of_the_key, why);
}

// --- server --------------------------------------------------------------------------------------

server_authentication::server_authentication(std::string key, nonce own)
    : key_{std::move(key)}, own_{own} {}

frame server_authentication::on_frame(const frame& in) {
    try {
        reader r{in.payload};
        switch (state_) {
        case state::fresh:
            expect(in, manager_op::hello);
            if (decode<std::uint64_t>(r) != magic ||
                decode<std::uint32_t>(r) != manager_protocol_version)
                throw protocol_error{
                    "coproc: a manager's peer speaks another version of the protocol"};
            theirs_ = r.raw<nonce>();
            state_ = state::challenged;
            return make_frame(manager_op::challenge, own_);
        case state::challenged: {
            expect(in, manager_op::proof);
            if (!same(r.raw<proof>(), prove(key_, "client", theirs_, own_, binding_))) {
                state_ = state::rejected;
                return refusal_frame(wrong_key, true);
            }
            state_ = state::entering;
            return make_frame(manager_op::counterproof,
                              prove(key_, "server", theirs_, own_, binding_));
        }
        case state::entering: {
            expect(in, manager_op::enter);
            peer_ = decode_peer(r);
            const manager_peer self = manager_peer::self();
            if (peer_.library != self.library) {
                state_ = state::rejected;
                return refusal_frame("coproc: the manager is \"" + self.library +
                                         "\", this program \"" + peer_.library +
                                         "\": both must have the same version of coproc",
                                     false);
            }
            state_ = state::done;
            return make_frame(manager_op::welcome, self.library, self.build_id, self.pid,
                              instance_of_process());
        }
        case state::rejected:
        case state::done:
            break;
        }
    } catch (const serialization_error&) {
        throw protocol_error{"coproc: a manager's peer sent a message that is damaged"};
    }
    throw protocol_error{"coproc: a manager's peer goes on after it was rejected"};
}

// --- client --------------------------------------------------------------------------------------

client_authentication::client_authentication(std::string key, nonce own)
    : key_{std::move(key)}, own_{own} {}

frame client_authentication::begin() const {
    return make_frame(manager_op::hello, magic, manager_protocol_version, own_);
}

std::optional<frame> client_authentication::on_frame(const frame& in) {
    try {
        reader r{in.payload};
        if (in.op() == manager_op::refused) {
            const bool of_the_key = decode<bool>(r);
            auto why = decode<std::string>(r);
            if (of_the_key) throw authentication_error{why};
            throw error{why};
        }
        switch (state_) {
        case state::greeted: {
            expect(in, manager_op::challenge);
            theirs_ = r.raw<nonce>();
            state_ = state::proving;
            return make_frame(manager_op::proof, prove(key_, "client", own_, theirs_, binding_));
        }
        case state::proving:
            expect(in, manager_op::counterproof);
            if (!same(r.raw<proof>(), prove(key_, "server", own_, theirs_, binding_)))
                throw authentication_error{
                    "coproc: what answers at the manager's address does not know the key"};
            state_ = state::entering;
            return enter_frame(manager_peer::self());
        case state::entering: {
            expect(in, manager_op::welcome);
            peer_ = decode_peer(r);
            peer_.instance = decode<std::uint64_t>(r);
            state_ = state::done;
            return std::nullopt;
        }
        case state::done:
            break;
        }
    } catch (const serialization_error&) {
        throw protocol_error{"coproc: the manager sent a message that is damaged"};
    }
    throw protocol_error{"coproc: the manager does not speak the manager's protocol"};
}

} // namespace coproc::detail
