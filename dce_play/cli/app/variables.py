"""The environment variables that dce-play reads, with what each is for."""

from collections.abc import Mapping

VARIABLES: Mapping[str, Mapping[str, str]] = {
    "The token": {
        "DISCORD_TOKEN": "The token itself.",
        "DISCORD_TOKEN_FILE": "A file that holds the token.",
        "DCE_ENV_FILE": "The env file with token and settings; else scrape.env in the working folder.",
        "DCE_REAUTH_COMMAND": "A program that gets a new token when Discord refuses the old one.",
        "DCE_REAUTH_UNATTENDED": "1: that program needs nobody at a terminal.",
        "DCE_ENCRYPTION_SALT": "The salt with which DiscordChatExporter's desktop program hides its token.",
        "DISCORDCHATEXPORTER_SETTINGS_PATH": "Where that program keeps its settings.",
    },
    "Places": {
        "DCE_CONFIG_FILE": "The targets file.",
        "DCE_PLAY_STATE_DIR": "Where run folders and crash files go; else dce-play in the XDG state folder.",
        "DCE_PLAY_CACHE_DIR": "Where readings of playbooks are kept, which may go; else the XDG cache folder.",
        "DCE_PLAY_INSTALL_ROOT": "The checkout that dce-play was installed from, for the receiver's version gate.",
        "DCE_SHIP_CONFIG": "The ship.toml; else /etc/dce-play/ship.toml.",
        "DCE_RECEIVE_CONFIG": "The receive.toml; else /etc/dce-play/receive.toml.",
        "DCE_BACKUP_ROOT": "The folder of backups.",
        "DCE_BACKUP_MODULES": "Where modules are defined.",
        "DCE_BACKUP_CLASSES": "A class table that is asked before ours.",
    },
    "Discord": {
        "DCE_DISCORD_API_BASE": "Another address for Discord's API; for the simulator and tests.",
        "DCE_DISCORD_CDN_BASE": "Another address for Discord's media; for the simulator and tests.",
    },
    "The scrape": {
        "DCE_MIN_FREE_MB": "The free space that a scrape wants, 1024 without it; 0 asks for none.",
        "DCE_SKIP_DISK_CHECK": "1: do not look at the free space.",
        "DCE_SCRAPE_LOCK_FILE": "Another place for the archive root's lock, as on a local disk.",
        "DCE_SKIP_SCRAPE_LOCK": "1: run without the lock, at your own risk.",
        "DCE_STALE_TEMP_MIN_AGE_SECONDS": "How old a left export must be before it is salvaged.",
        "DCE_SALVAGE_ACTIVE_TEMPS": "1: salvage left exports of any age.",
        "DCE_RUN_SUMMARY_FILE": "Where a target's summary goes; else into the run folder.",
        "DCE_RUN_SUMMARY_JSON": "1: print each summary as one line of JSON, too.",
    },
    "DiscordChatExporter and containers": {
        "DCE_CLI_BIN": "DiscordChatExporter's command line program.",
        "DCE_CONTAINER_IMAGE": "The exporter's image.",
        "DCE_CONTAINER_MEMORY": "The memory limit of its container.",
        "DCE_COMPOSE_FILE": "A compose file of your own for it.",
        "DCE_COMPOSE_BIN": "The compose program.",
        "DCE_DOCKER_BIN": "The container engine.",
        "DCE_COMPOSE_TTY": "0: give the container no terminal.",
        "DCE_UID": "The user in the container.",
        "DCE_GID": "The group in the container.",
        "DCE_USERNS_MODE": "The user namespace of the container.",
        "DCE_SELINUX_LABEL": "1: label the mounted folders for SELinux.",
    },
    "Programs": {
        "DCE_CRONTAB_BIN": "The crontab program.",
        "DCE_SYSTEMCTL_BIN": "The systemctl program.",
    },
    "The screen": {
        "NO_COLOR": "Set: no colours.",
        "DCE_PLAY_PROGRESS_EVERY_S": "Seconds between two lines of progress where there is no terminal; 30 without it.",
        "GITHUB_ACTIONS": "true: lint tells its findings as GitHub's commands.",
    },
}
