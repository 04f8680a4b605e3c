"""A monitor that is there already, shown as it is: nothing is made, moved or switched off."""
