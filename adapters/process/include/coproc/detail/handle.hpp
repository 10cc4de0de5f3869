// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

// How the handles of shared objects travel: as descriptors of the memory that they stand for.

#include <coproc/codec.hpp>

#include <cstdint>
#include <utility>

namespace coproc::detail {

/// What the library may do with a handle and nobody else. The first two are defined with each noun,
/// where the type behind the handle is known.
struct handle_access {
    /// Of the memory; it stays the handle's.
    template <class Handle>
    static int descriptor(const Handle& handle);
    /// Takes over the descriptor. Throws serialization_error if it is something else.
    template <class Handle>
    static Handle adopt(int descriptor);

    template <class Handle, class Object>
    static Handle make(Object&& object) {
        return Handle{std::forward<Object>(object)};
    }
    template <class Handle>
    static const auto& object(const Handle& handle) noexcept {
        return handle.object_;
    }
};

/// For nouns whose whole state lies in one piece of shared memory.
template <class Handle>
struct handle_codec {
    using parts = types<>;

    static void size(sizer& s, const Handle& /*handle*/) {
        s.bytes(1); // so that a count of handles can be checked against what is there
        s.descriptor();
    }
    static void encode(writer& w, const Handle& handle) {
        w.raw(std::uint8_t{1});
        w.descriptor(handle_access::descriptor(handle));
    }
    static Handle decode(reader& r) {
        r.bytes(1);
        return handle_access::adopt<Handle>(r.descriptor());
    }
};

} // namespace coproc::detail
