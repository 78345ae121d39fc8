# Installs lspipe with its man page, completions, units and documentation; `cargo install` installs the program alone.
#
#   make && sudo make install                        below /usr/local
#   make install DESTDIR=/tmp/root PREFIX=/usr       into a folder, for a package
#   sudo make uninstall                              removes the same files
#
# `make` builds with cargo. BINARY=FILE installs a program that is already built.

PREFIX ?= /usr/local
DESTDIR ?=
INSTALL ?= install
CARGO ?= cargo
CARGO_TARGET_DIR ?= target
BINARY ?= $(CARGO_TARGET_DIR)/release/lspipe

bindir ?= $(PREFIX)/bin
mandir ?= $(PREFIX)/share/man
docdir ?= $(PREFIX)/share/doc/lspipe
bashdir ?= $(PREFIX)/share/bash-completion/completions
zshdir ?= $(PREFIX)/share/zsh/site-functions
fishdir ?= $(PREFIX)/share/fish/vendor_completions.d
# systemd reads /usr/local/lib/systemd/system too.
unitdir ?= $(PREFIX)/lib/systemd/system

# Each is MODE:SOURCE:DIRECTORY:NAME.
FILES = \
	755:$(BINARY):$(bindir):lspipe \
	644:man/lspipe.1:$(mandir)/man1:lspipe.1 \
	644:src/generate/lspipe.bash:$(bashdir):lspipe \
	644:src/generate/_lspipe.zsh:$(zshdir):_lspipe \
	644:src/generate/lspipe.fish:$(fishdir):lspipe.fish \
	644:contrib/systemd/lspipe-audit.service:$(unitdir):lspipe-audit.service \
	644:contrib/systemd/lspipe-audit.timer:$(unitdir):lspipe-audit.timer \
	644:README.md:$(docdir):README.md \
	644:CHANGELOG.md:$(docdir):CHANGELOG.md \
	644:LICENSE-MIT:$(docdir):LICENSE-MIT \
	644:LICENSE-APACHE:$(docdir):LICENSE-APACHE

.PHONY: all build install uninstall

all: build

build:
	$(CARGO) build --release --locked

# Nothing is built here, so that root need not run cargo.
install:
	@test -x '$(BINARY)' || { echo "no $(BINARY): run make first" >&2; exit 1; }
	@set -e; for file in $(FILES); do \
		IFS=: ; set -- $$file; unset IFS; \
		echo "$(DESTDIR)$$3/$$4"; \
		$(INSTALL) -d -m 755 "$(DESTDIR)$$3"; \
		$(INSTALL) -m "$$1" "$$2" "$(DESTDIR)$$3/$$4"; \
	done

uninstall:
	@for file in $(FILES); do \
		IFS=: ; set -- $$file; unset IFS; \
		rm -f "$(DESTDIR)$$3/$$4"; \
	done
	rmdir "$(DESTDIR)$(docdir)" 2>/dev/null || true
