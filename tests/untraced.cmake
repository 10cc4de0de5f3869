# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DNM=<nm> -DOBJECT=<object file> -P untraced.cmake
# The object file defines what the library asks for, and no __cxa_throw.

execute_process(COMMAND ${NM} ${OBJECT} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
if(NOT symbols MATCHES "trace_throws")
    message(FATAL_ERROR "This is not the object file of throw_trace.cpp:\n${symbols}")
endif()
if(symbols MATCHES " [A-TV-Za-tv-z] __cxa_throw\n")
    message(FATAL_ERROR "It stands in front of __cxa_throw.")
endif()
