# Compiler settings shared by every target.
option(BULKHEAD_TESTS "Build the tests" ON)
set(BULKHEAD_SANITIZER "" CACHE STRING "Value of -fsanitize=, empty for none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # What one checkout compiled serves another, whatever their paths.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

# Warnings for our own code only; generated code gets none of them.
add_library(bulkhead_warnings INTERFACE)
target_compile_options(bulkhead_warnings INTERFACE
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wvla -Werror
  # Designated initializers leave the other members at their defaults on purpose.
  -Wno-missing-field-initializers)

add_compile_options(-fstack-protector-strong -fno-omit-frame-pointer)
# Between clone and exec nothing may look for symbols.
add_link_options(-Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()

# Sanitizers do not link with -static, so the supervisor is dynamic there.
set(BULKHEAD_STATIC_SUPERVISOR ON)
if(BULKHEAD_SANITIZER)
  set(BULKHEAD_STATIC_SUPERVISOR OFF)
  # GCC 12 sees uninitialized members in std::regex where it is instrumented (GCC bug 105562).
  add_compile_options(-fsanitize=${BULKHEAD_SANITIZER} -fno-sanitize-recover=undefined
    -Wno-maybe-uninitialized)
  add_link_options(-fsanitize=${BULKHEAD_SANITIZER})
  # The thread sanitizer knows no fences. Asio has one around each of its operations, beside the
  # locks that order them.
  if(BULKHEAD_SANITIZER STREQUAL "thread")
    add_compile_options(-Wno-tsan)
    add_compile_definitions(BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
