# SPDX-FileCopyrightText: 2026 The coproc authors
# SPDX-License-Identifier: BSL-1.0

# cmake -P layers.cmake: checks who includes whom. framework knows nothing of the adapters, the adapters
# nothing of each other, and no header of the library includes range-v3.

cmake_minimum_required(VERSION 3.25)
cmake_path(GET CMAKE_CURRENT_LIST_DIR PARENT_PATH root)
set(violations "")

# check_layer(<part> <part it may include>...)
function(check_layer part)
    file(GLOB_RECURSE files ${root}/${part}/*.hpp ${root}/${part}/*.cpp)
    foreach(file IN LISTS files)
        file(STRINGS ${file} includes REGEX "^ *# *include *[<\"]")
        foreach(line IN LISTS includes)
            string(REGEX REPLACE "^ *# *include *[<\"]([^>\"]*)[>\"].*" "\\1" header "${line}")
            set(allowed TRUE)
            if(header MATCHES "^range/v3/")
                set(allowed FALSE)
            elseif(header MATCHES "^coproc/")
                set(allowed FALSE)
                foreach(other IN ITEMS ${part} LISTS ARGN)
                    if(EXISTS ${root}/${other}/include/${header})
                        set(allowed TRUE)
                    endif()
                endforeach()
            endif()
            if(NOT allowed)
                cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${root} OUTPUT_VARIABLE name)
                string(APPEND violations "\n  ${name} includes ${header}")
            endif()
        endforeach()
    endforeach()
    set(violations "${violations}" PARENT_SCOPE)
endfunction()

check_layer(framework)
check_layer(adapters/process framework)
check_layer(adapters/dummy framework)
check_layer(adapters/ranges framework)

if(violations)
    message(FATAL_ERROR "Includes across the layers:${violations}")
endif()
