# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# cmake -DPROGRAM=<program> -DEXPECTED=<file> -P CheckOutput.cmake
#
# Runs the program: it must exit with 0, and its standard output must match the file, if there is one.
# Each line of the file is a regular expression (CMake's: [0-9]+, no \d) that one line of the output must
# match, in this order; other lines may stand between. A line that starts with "$ " gives the program's
# arguments, empty lines and lines that start with "# " are skipped.

# By hand: CMake's lists would fall over brackets and semicolons.
macro(take_line text line)
    string(FIND "${${text}}" "\n" end)
    if(end EQUAL -1)
        set(${line} "${${text}}")
        set(${text} "")
    else()
        string(SUBSTRING "${${text}}" 0 ${end} ${line})
        math(EXPR end "${end} + 1")
        string(SUBSTRING "${${text}}" ${end} -1 ${text})
    endif()
endmacro()

set(expected "")
set(arguments "")
if(EXISTS "${EXPECTED}")
    file(READ "${EXPECTED}" text)
    while(NOT text STREQUAL "")
        take_line(text line)
        if(line MATCHES "^\\$ (.*)$")
            separate_arguments(arguments UNIX_COMMAND "${CMAKE_MATCH_1}")
        elseif(NOT line STREQUAL "" AND NOT line MATCHES "^# ")
            string(APPEND expected "${line}\n")
        endif()
    endwhile()
endif()

execute_process(COMMAND ${PROGRAM} ${arguments}
    OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE result)
message("${output}")
if(NOT errors STREQUAL "")
    message("--- standard error:\n${errors}")
endif()
if(NOT result EQUAL 0)
    message(FATAL_ERROR "The program ended with ${result}.")
endif()

while(NOT expected STREQUAL "")
    take_line(expected pattern)
    set(found FALSE)
    while(NOT found AND NOT output STREQUAL "")
        take_line(output line)
        if("${line}" MATCHES "${pattern}")
            set(found TRUE)
        endif()
    endwhile()
    if(NOT found)
        message(FATAL_ERROR "No line (left) matches: ${pattern}")
    endif()
endwhile()
