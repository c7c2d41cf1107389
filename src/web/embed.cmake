# Embeds src/web/assets/* and the browser client (clients/js) in the program: the
# pages and scripts become one C table, so the binary needs no files. Run as a
# script (cmake -P) it writes that table; included, it adds the step to the build.
#
# Each file is served under its path below assets/, the client's files at the top;
# web_assets.h is the contract.

if(CMAKE_SCRIPT_MODE_FILE STREQUAL CMAKE_CURRENT_LIST_FILE)
    set(rows "")
    set(arrays "")
    set(number 0)
    set(files "")
    foreach(folder IN ITEMS ${ASSETS} ${CLIENT})
        file(GLOB_RECURSE names LIST_DIRECTORIES false RELATIVE ${folder}
            ${folder}/*)
        foreach(name IN LISTS names)
            list(APPEND files ${name})
            set(source_of_${name} ${folder}/${name})
        endforeach()
    endforeach()
    list(SORT files)
    foreach(file IN LISTS files)
        file(READ ${source_of_${file}} bytes HEX)
        file(SHA256 ${source_of_${file}} digest)
        string(SUBSTRING ${digest} 0 16 tag)
        string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
        string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)"
            "\\1\n" bytes "${bytes}")
        string(APPEND arrays
            "static const unsigned char file_${number}[] = {\n${bytes}0};\n")
        string(APPEND rows "    {\"/${file}\", (const char *)file_${number}, "
            "sizeof file_${number} - 1, \"\\\"${tag}\\\"\"},\n")
        math(EXPR number "${number} + 1")
    endforeach()
    file(WRITE ${TABLE}
        "/* Made by src/web/embed.cmake. */\n"
        "#include \"web/web_assets.h\"\n\n${arrays}\n"
        "const struct web_asset web_assets[] = {\n${rows}"
        "    {NULL, NULL, 0, NULL}};\n")
    return()
endif()

set(assets_directory ${PROJECT_SOURCE_DIR}/src/web/assets)
set(client_source ${PROJECT_SOURCE_DIR}/clients/js)
set(client_directory ${PROJECT_BINARY_DIR}/client)
set(assets_table ${PROJECT_BINARY_DIR}/web_assets_table.c)
file(GLOB_RECURSE assets CONFIGURE_DEPENDS ${assets_directory}/*)
add_custom_command(OUTPUT ${assets_table}
    COMMAND ${CMAKE_COMMAND} -DTO=${client_directory}
        -P ${client_source}/pack.cmake
    COMMAND ${CMAKE_COMMAND} -DASSETS=${assets_directory}
        -DCLIENT=${client_directory} -DTABLE=${assets_table}
        -P ${CMAKE_CURRENT_LIST_FILE}
    DEPENDS ${assets} ${CMAKE_CURRENT_LIST_FILE} ${client_source}/pack.cmake
        ${client_source}/tidings.js ${client_source}/tidings.d.ts
    COMMENT "Embedding pages and the browser client"
    VERBATIM)
target_sources(tidings_core PRIVATE ${assets_table})
