# The engines that tests compare with the local runner: Prism, and Flink with Beam's job server in one jar.
#   make -f tools/engines.mk PYTHON=.venv/bin/python DIR=.engines
# leaves DIR/prism, DIR/flink.jar and DIR/fake-gcs-server, an object store for gs://. It does nothing
# where they are there already. The target DIR/boot is the program of Beam's images that starts workers.
PYTHON ?= python
DIR ?= .engines
# A runner speaks the protocol of one Beam release, so Prism is built at the installed one's.
BEAM := $(shell $(PYTHON) -c 'from importlib.metadata import version; print(version("apache-beam"))')
ifeq ($(BEAM),)
$(error apache-beam is not installed for $(PYTHON); name another interpreter with PYTHON=)
endif
HERE := $(dir $(lastword $(MAKEFILE_LIST)))

engines: $(DIR)/prism $(DIR)/flink.jar $(DIR)/fake-gcs-server

# A tool that is missing is named before anything is built.
MISSING := $(strip $(if $(wildcard $(DIR)/prism),,$(if $(shell command -v go),,go)) \
  $(if $(wildcard $(DIR)/flink.jar),,$(if $(shell command -v mvn),,mvn)) $(if $(shell command -v java),,java))
ifneq ($(MISSING),)
$(error $(MISSING) is missing: install Go, a Java runtime (11 or 17) and Maven)
endif

$(DIR)/beam-$(BEAM):
	mkdir -p $(DIR)
	rm -f $(DIR)/beam-*
	touch $@

# Two compilers at most: each may take a gigabyte.
$(DIR)/prism: $(DIR)/beam-$(BEAM)
	GOBIN=$(abspath $(DIR)) GOFLAGS=-p=2 go install github.com/apache/beam/sdks/v2/go/cmd/prism@v$(BEAM)
	touch $@

$(DIR)/boot: $(DIR)/beam-$(BEAM)
	GOBIN=$(abspath $(DIR)) GOFLAGS=-p=2 go install github.com/apache/beam/sdks/v2/python/container@v$(BEAM)
	mv $(DIR)/container $@

$(DIR)/flink.jar: $(HERE)flink/pom.xml
	mkdir -p $(DIR)
	mvn -B -q -f $< package -Dengines.target=$(abspath $(DIR))/maven
	mv $(DIR)/maven/flink.jar $@
	rm -r $(DIR)/maven

$(DIR)/fake-gcs-server:
	GOBIN=$(abspath $(DIR)) GOFLAGS=-p=2 go install github.com/fsouza/fake-gcs-server@v1.56.1

.PHONY: engines
.DELETE_ON_ERROR:
