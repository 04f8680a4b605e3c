# Shared by scripts/serve and scripts/test: distribution packages, ordinary user, Python, virtual environment.
#
# Sourced, not run. Everything here may be done twice: what is there already is left alone, and a finished
# environment is recognised by a stamp in it. Callers set REPO, the root of the working tree, before sourcing.
# shellcheck shell=bash

MINIMUM_PYTHON="3.11"
SERVICE_USER="punktfunk"
STARTED=$SECONDS
CAPABILITIES=(--inh-caps=-all)

say() { printf '%s\n' "$*"; }
step() { printf '[%3d s] %s\n' "$((SECONDS - STARTED))" "$*"; }
warn() { printf '         ! %s\n' "$*" >&2; }
die() {
    printf '\n%s: %s\n' "$(basename "$0")" "$1" >&2
    shift
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

trap 'printf "\ninterrupted; run it again to go on\n" >&2; exit 130' INT # until the host takes over

is_root() { [[ $EUID -eq 0 ]]; }

# --- The distribution -------------------------------------------------------------------------------------

detect_system() { # sets FAMILY to debian, fedora, arch or other, and SYSTEM to its name
    local ID="" ID_LIKE="" PRETTY_NAME="" word
    # shellcheck source=/dev/null
    [[ -r /etc/os-release ]] && . /etc/os-release
    SYSTEM=${PRETTY_NAME:-unknown Linux}
    FAMILY=other
    for word in $ID $ID_LIKE; do
        case $word in
            debian | ubuntu) FAMILY=debian ;;
            fedora | rhel | centos) FAMILY=fedora ;;
            arch | archlinux) FAMILY=arch ;;
            *) continue ;;
        esac
        break
    done
}

packages_for() { # $1: serve or test; prints this family's package names
    local names
    case $FAMILY in
        debian)
            names="python3 python3-venv sway foot xkb-data libxkbcommon0 fonts-dejavu-core dbus"
            names="$names pipewire pipewire-bin wireplumber libpulse0"
            ;;
        fedora) names="python3 sway foot xkeyboard-config libxkbcommon dejavu-sans-mono-fonts dbus-daemon util-linux pipewire wireplumber" ;;
        arch) names="python sway foot xkeyboard-config libxkbcommon ttf-dejavu dbus pipewire wireplumber" ;;
        other) return ;;
    esac
    # Beside PulseAudio it would take the place of the desktop's own sound server at the next login.
    if ! command -v pulseaudio >/dev/null || [[ $1 == test ]]; then
        case $FAMILY in
            debian | arch) names="$names pipewire-pulse" ;;
            fedora) names="$names pipewire-pulseaudio" ;;
        esac
    fi
    if [[ $1 == test ]]; then
        case $FAMILY in
            debian) names="$names wev mutter xvfb xdotool pulseaudio pulseaudio-utils" ;;
            fedora) names="$names wev xorg-x11-server-Xvfb xdotool" ;;
            arch) names="$names wev xorg-server-xvfb xdotool" ;;
        esac
    fi
    echo "$names"
}

package_is_there() {
    case $FAMILY in
        debian) [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ;;
        fedora) rpm -q --whatprovides "$1" >/dev/null 2>&1 ;;
        arch) pacman -Qq "$1" >/dev/null 2>&1 ;;
    esac
}

install_command() { # the command that installs the packages $@
    case $FAMILY in
        debian) echo "apt-get install -y --no-install-recommends $*" ;;
        fedora) echo "dnf install -y $*" ;;
        arch) echo "pacman -S --needed --noconfirm $*" ;;
    esac
}

run_quietly() { # $1: log file; the rest: a command. Shows its last words only if it fails
    local log=$1
    shift
    "$@" >>"$log" 2>&1 </dev/null && return
    tail -n 15 "$log" | sed 's/^/         | /' >&2
    return 1
}

install_packages() { # $1: serve or test. Missing ones are installed (root) or named with the exact command
    local name missing=() log
    for name in $(packages_for "$1"); do
        package_is_there "$name" || missing+=("$name")
    done
    if [[ $FAMILY == other ]]; then
        warn "unknown distribution ($SYSTEM): please see to Python $MINIMUM_PYTHON or newer with venv, sway, foot,"
        warn "libxkbcommon with its keyboard data, a monospace font and dbus-daemon yourself"
        return
    fi
    if [[ ${#missing[@]} -eq 0 ]]; then
        step "distribution packages: all there"
    elif is_root; then
        step "distribution packages: installing ${missing[*]}"
        log=$(mktemp)
        if [[ $FAMILY == debian ]]; then
            run_quietly "$log" env DEBIAN_FRONTEND=noninteractive apt-get update ||
                warn "apt-get update failed; going on with the lists that are there"
        fi
        # shellcheck disable=SC2046  # the command is a list of words
        run_quietly "$log" env DEBIAN_FRONTEND=noninteractive $(install_command "${missing[@]}") ||
            warn "not all could be installed; \`punktfunk doctor\` will say what is affected"
        rm -f "$log"
    else
        step "distribution packages: ${missing[*]} missing; to install them, run"
        say "             sudo $(install_command "${missing[@]}")"
    fi
}

# --- The user who runs it ---------------------------------------------------------------------------------

choose_user() { # sets RUN_USER, RUN_UID, RUN_HOME and BASE. Compositors refuse root
    if ! is_root; then
        RUN_USER=$(id -un)
        BASE=${XDG_DATA_HOME:-$HOME/.local/share}/punktfunk
    else
        RUN_USER=$SERVICE_USER
        if [[ -n ${SUDO_USER:-} && ${SUDO_USER:-} != root ]]; then
            RUN_USER=$SUDO_USER
        elif ! id "$RUN_USER" >/dev/null 2>&1; then
            step "user: making the ordinary user $RUN_USER"
            useradd --create-home --shell /bin/bash --comment "punktfunk streaming host" "$RUN_USER" ||
                die "cannot make the user $RUN_USER" "useradd --create-home $RUN_USER"
        fi
        BASE=/var/lib/punktfunk
    fi
    RUN_UID=$(id -u "$RUN_USER")
    RUN_HOME=$(getent passwd "$RUN_USER" | cut -d: -f6)
    mkdir -p "$BASE" || die "cannot write to $BASE"
    is_root && chmod 755 "$BASE"
    choose_runtime_folder
}

choose_runtime_folder() { # sets RUN_RUNTIME: the login session's, or one that we make where there is none
    RUN_RUNTIME=${XDG_RUNTIME_DIR:-/run/user/$RUN_UID}
    is_root && RUN_RUNTIME=/run/user/$RUN_UID
    if [[ ! -d $RUN_RUNTIME || $(stat -c %u "$RUN_RUNTIME") != "$RUN_UID" ]]; then
        if is_root; then
            RUN_RUNTIME=/run/punktfunk-$RUN_UID
            install -d -m 0700 -o "$RUN_USER" "$RUN_RUNTIME"
        else
            RUN_RUNTIME=${TMPDIR:-/tmp}/punktfunk-$RUN_UID
            mkdir -p -m 0700 "$RUN_RUNTIME"
        fi
    fi
}

as_user() { # runs $@ as RUN_USER, with a clean environment when that is somebody else
    if ! is_root; then
        env XDG_RUNTIME_DIR="$RUN_RUNTIME" "$@"
        return
    fi
    user_command "$@"
    "${USER_COMMAND[@]}"
}

user_command() { # sets USER_COMMAND to the words that run $@ as RUN_USER
    local name kept=()
    for name in $(compgen -e | grep -E '^(PUNKTFUNK_.*|CI|TERM|LANG|LC_.*|COLUMNS|NO_COLOR|SWAYSOCK|WAYLAND_DISPLAY)$'); do
        kept+=("$name=${!name}")
    done
    USER_COMMAND=(
        setpriv --reuid "$RUN_UID" --regid "$(id -g "$RUN_USER")" --init-groups "${CAPABILITIES[@]}"
        env -i HOME="$RUN_HOME" USER="$RUN_USER" LOGNAME="$RUN_USER" SHELL=/bin/bash LANG=C.UTF-8
        PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin XDG_RUNTIME_DIR="$RUN_RUNTIME" "${kept[@]}" "$@"
    )
}

allow_realtime() { # lets the host make its sending thread realtime; needs root, and more than a container may have
    is_root || return 0
    prlimit --pid $$ --rtprio=60:60 2>/dev/null && return
    # A container may keep CAP_SYS_RESOURCE for itself and still grant CAP_SYS_NICE. Second choice, because
    # programs that count their capabilities (bubblewrap) refuse to start with one that they did not expect.
    local words=(--inh-caps=-all,+sys_nice --ambient-caps=-all,+sys_nice)
    if setpriv --reuid "$RUN_UID" --regid "$(id -g "$RUN_USER")" --init-groups "${words[@]}" true 2>/dev/null; then
        CAPABILITIES=("${words[@]}")
    else
        warn "this machine lets nobody raise RLIMIT_RTPRIO: the sending thread stays ordinary"
    fi
}

# --- Python and the virtual environment -------------------------------------------------------------------

python_is_good() { # new enough, can make environments, and RUN_USER may run it (a pyenv under /root is not)
    # shellcheck disable=SC2016
    as_user "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null
}

find_python() { # sets PYTHON
    local folder name
    for name in python3 python3.13 python3.12 python3.11 python3.14; do
        for folder in /usr/bin /usr/local/bin /bin; do
            PYTHON=$folder/$name
            [[ -x $PYTHON ]] && python_is_good "$PYTHON" && return
        done
    done
    PYTHON=$(command -v python3 || true)
    [[ -n $PYTHON ]] && ! is_root && python_is_good "$PYTHON"
}

choose_python() {
    find_python && return
    local names="python3.11 python3.11-venv" log
    if is_root && [[ $FAMILY == debian ]]; then # Ubuntu 22.04: its python3 is 3.10, but 3.11 is in universe
        step "Python: installing $names"
        log=$(mktemp)
        # shellcheck disable=SC2046,SC2086
        run_quietly "$log" env DEBIAN_FRONTEND=noninteractive $(install_command $names) && find_python && return
    fi
    [[ $FAMILY == debian ]] || names="python3.12"
    die "no Python $MINIMUM_PYTHON to 3.14 with venv that the user $RUN_USER may run" \
        "Install one:  sudo $(install_command "$names")"
}

digest_of_sources() { # what the installed package is made of
    (cd "$REPO" && find punktfunk pyproject.toml README.md LICENSE-* -type f ! -name '*.pyc' -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-32)
}

make_environment() { # $1: name; $2: extras such as test,peers, may be empty. Sets VENV
    VENV=$BASE/$1
    local extras=$2 wanted_requirements wanted_sources
    wanted_requirements="$("$PYTHON" -V) $(sha256sum <"$REPO/pyproject.toml" | cut -c1-32) [$extras]"
    wanted_sources=$(digest_of_sources)
    exec 9>"$BASE/$1.lock"
    flock -w 600 9 || die "another set-up of $VENV goes on for ten minutes"
    if [[ -x $VENV/bin/punktfunk && $(cat "$VENV/stamp" 2>/dev/null) == "$wanted_requirements $wanted_sources" ]]; then
        step "virtual environment: up to date ($VENV)"
    else
        fill_environment "$extras" "$wanted_requirements"
        echo "$wanted_requirements $wanted_sources" >"$VENV/stamp"
    fi
    exec 9>&-
}

fill_environment() { # $1: extras; $2: the wanted requirements
    local workshop wheel log status=0
    workshop=$(mktemp -d)
    log=$workshop/log
    if [[ ! -x $VENV/bin/python || $("$VENV/bin/python" -V 2>&1) != "$("$PYTHON" -V)" ]]; then
        step "virtual environment: $VENV with $("$PYTHON" -V) ($PYTHON)"
        (umask 022 && "$PYTHON" -m venv --clear "$VENV") || die "cannot make $VENV"
    fi
    step "punktfunk: building the wheel"
    mkdir "$workshop/source" # setuptools leaves a build folder behind: not in the working tree
    (cd "$REPO" && tar -c --exclude=__pycache__ punktfunk pyproject.toml README.md LICENSE-*) | tar -x -C "$workshop/source"
    run_quietly "$log" "$VENV/bin/python" -m pip wheel --no-deps --wheel-dir "$workshop" "$workshop/source" ||
        die "the wheel cannot be built"
    wheel=$(echo "$workshop"/punktfunk-*.whl)
    if [[ $(cat "$VENV/stamp.requirements" 2>/dev/null) != "$2" ]]; then
        step "Python packages: downloading and installing (a minute or two)"
        pip_install "$wheel${1:+[$1]}" 2>&1 | tee "$log" |
            sed -un 's/^\(Collecting [^ ]*\|Installing\).*/             \1/p' || status=${PIPESTATUS[0]}
        [[ $status -eq 0 ]] || die "pip could not install the Python packages" "$(tail -n 3 "$log")"
        echo "$2" >"$VENV/stamp.requirements"
    fi
    step "punktfunk: installing it"
    run_quietly "$log" pip_install --no-deps --force-reinstall "$wheel" || die "pip could not install punktfunk"
    rm -rf "$workshop"
}

pip_install() { # readable for RUN_USER whatever root's umask is
    (umask 022 && "$VENV/bin/python" -m pip install --root-user-action=ignore --progress-bar off "$@")
}
