"""The people of the sample company: invented names of many origins, and the sign-in names that follow from them.

`fleet` asks for the n-th person; nobody here is real.
"""

from __future__ import annotations

import unicodedata

_FIRST = """
Aaliyah Abdul Adaeze Aditi Agnieszka Aiko Aisha Alejandro Alessia Alexander Alice Amara Amelia Amir Ana Anders
Andrzej Anja Anna Antoine Aoife Arjun Astrid Ayşe Beatriz Benjamin Bilal Björn Brigitte Camille Carlos Catherine
Charlotte Chen Chiara Chidi Chloe Ciarán Clara Claire Daniel Daniela David Deepika Dmitri Eilidh Elena Elif Elizabeth
Emeka Emily Emma Enrique Ewan Fatima Felix Fiona Florian Francesca François Freya Gabriel George Giulia Grace Greta
Hannah Harriet Hassan Heike Helen Henrik Hiroshi Hugo Ibrahim Ingrid Irina Isabel Ivan Jack James Jan Jasmine Javier
Jin Joanna João Johan Jonas José Julia Kamala Karim Kateryna Kenji Kwame Lars Laura Layla Leila Lena Liam Linh Louise
Lukas Magnus Mai Malik Manuel Marek Margaret Maria Mateusz Matthias Mei Michael Miriam Mohammed Nadia Naomi Natalia
Ngozi Niamh Nikhil Nina Noah Olga Oliver Olivia Omar Oskar Pablo Padraig Paul Petra Pierre Priya Rachel Rafael Rahul
Rania Renate Ricardo Robert Rosa Ruth Sabine Samir Samuel Sandra Sara Sebastian Siobhán Sofia Stefan Sunita Svetlana
Tariq Thandiwe Thomas Tobias Tomasz Ursula Valentina Victor Wei William Yara Yuki Yusuf Zainab Zoë
""".split()

_LAST = """
Abara Abbott Achebe Adebayo Adeyemi Agarwal Ahmed Ali Almeida Andersson Anyanwu Araújo Aydın Bailey Banerjee Barnes
Bauer Becker Bennett Bergmann Bernard Bianchi Boateng Bonnet Borowski Boucher Brandt Brennan Brown Byrne Campbell Carter
Castillo Chan Chang Chatterjee Chaudhry Chevalier Clarke Collins Conti Cooper Costa Cruz Cunningham Dąbrowski Das
Davies Delgado Demir Desai Diallo Dietrich Dubois Dumont Duong Edwards Eriksson Esposito Evans Farouk Fernández Ferrari
Fischer Fitzgerald Fleming Fontaine Foster Frank Fraser Fuentes Gallagher García Gauthier Gomes Graham Greco Grant
Gupta Haddad Hall Hansen Hartmann Hassan Hayashi Healy Herrera Hoffmann Hughes Huber Ibrahim Ito Ivanova Jackson
Jacobs Jansen Jensen Johansson Jones Joshi Kaczmarek Kapoor Kaufmann Kaya Keane Keller Kelly Khalil Khan Kim Klein
Kobayashi Koch Kowalski Krause Kumar Kurz Lambert Lang Larsen Laurent Lee Lefebvre Lehmann Leroy Lewis Lim Lindqvist
Lombardi López Lorenz MacLeod Mahmoud Malhotra Marchetti Marković Martin Martínez Mbeki McCarthy Mehta Melnyk Mendes
Menon Mensah Meyer Mitchell Moreau Morgan Moretti Morris Müller Murphy Murray Mutasa Nakamura Navarro Ndiaye Nguyen
Nielsen Novák Nowak Obi Odhiambo O'Brien O'Connor Okafor Okonkwo Oliveira Olsen O'Neill Ortega Osei Owens Öztürk
Park Parker Patel Pereira Petit Petrov Pfeiffer Phillips Popescu Prasad Quinn Raman Ramírez Rao Reid Reyes Richter
Rinaldi Roberts Rodríguez Romano Rossi Rousseau Roux Russo Ryan Saito Salazar Santos Sato Schäfer Schmidt Schneider
Schreiber Schulz Schwarz Shah Sharma Sheikh Silva Singh Smith Sokolova Sørensen Steiner Stewart Suzuki Svensson
Takahashi Tan Taylor Thompson Torres Tran Turner Vargas Vasquez Vogel Wagner Walker Walsh Wang Weber Weiß Williams
Wilson Winter Wójcik Wolf Wong Wood Wright Wu Yamamoto Yang Yilmaz Young Zhang Zhou Zimmermann
""".split()

_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "ł": "l", "ı": "i", "'": None})
_STEP = 16963
"""Shares no factor with the number of name pairs, so that walking by it meets every pair once before any twice."""


def _sign_in_part(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_PLAIN))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()


_FIRST_PARTS = tuple((name, _sign_in_part(name)) for name in _FIRST)
_LAST_PARTS = tuple((name, _sign_in_part(name)) for name in _LAST)
_PAIRS = len(_FIRST) * len(_LAST)


def person(number: int) -> tuple[str, str]:
    """Full name and sign-in name (without the domain) of the `number`-th person; no sign-in name comes twice."""
    again, place = divmod(number, _PAIRS)
    last, first = divmod(place * _STEP % _PAIRS, len(_FIRST_PARTS))
    first_name, first_part = _FIRST_PARTS[first]
    last_name, last_part = _LAST_PARTS[last]
    sign_in = f"{first_part}.{last_part}{again + 1}" if again else f"{first_part}.{last_part}"
    return f"{first_name} {last_name}", sign_in


def short_alias(sign_in: str) -> str:
    """First letter and last name, at most six letters, as it stands in the names of cloud PCs: ``ameyer``."""
    first, _, last = sign_in.partition(".")
    return (first[:1] + last if last else first)[:6]
