# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# What only a developer's build gets. The presets add CMAKE_COMPILE_WARNING_AS_ERROR.

# coproc_developer_options(<target>): the project's own warnings, for its own code.
function(coproc_developer_options target)
    if(NOT COPROC_DEVELOPER_MODE)
        return()
    endif()
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
    set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
endfunction()

if(NOT COPROC_DEVELOPER_MODE)
    return()
endif()

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_CXX_COMPILER_LAUNCHER)
    find_program(COPROC_CCACHE ccache)
    mark_as_advanced(COPROC_CCACHE)
    if(COPROC_CCACHE)
        set(CMAKE_CXX_COMPILER_LAUNCHER ${COPROC_CCACHE})
    endif()
endif()
