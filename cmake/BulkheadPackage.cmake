# The Debian package: `cpack -G DEB` in a build folder. Its scripts are in deploy/debian.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME bulkhead)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The Bulkhead authors <bulkhead@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "container runtime for Kubernetes nodes")
set(CPACK_PACKAGE_DESCRIPTION
  "Serves the Container Runtime Interface to a kubelet. Pods are isolated by Bulkhead itself, with
no other container runtime underneath; they outlive the daemon, also its upgrades.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "init-system-helpers, systemd")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "apparmor, ca-certificates, containernetworking-plugins, iptables")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/deploy/debian/${script})
endforeach()

install(FILES deploy/bulkhead.service DESTINATION lib/systemd/system)
install(FILES deploy/config.toml DESTINATION /etc/bulkhead)
install(DIRECTORY deploy/runtimeclasses DESTINATION share/doc/bulkhead)
install(FILES README.md ARCHITECTURE.md SECURITY.md CHANGELOG.md DESTINATION share/doc/bulkhead)
install(FILES LICENSE DESTINATION share/doc/bulkhead RENAME copyright)
install(DIRECTORY docs/ DESTINATION share/doc/bulkhead FILES_MATCHING PATTERN "*.md")

include(CPack)
